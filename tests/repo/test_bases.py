"""Reading base.toml files, and what is said about mistakes in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ConfigError
from eggcrate.repo.bases import read_base
from eggcrate.repo.monorepo import read_monorepo

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = 'python = "3.11"\nsuite = "bookworm"\npackages = ["libc6"]\n'
IMAGE = (
    'python = "3.11"\nimage = "registry.test/python@sha256:' + "0" * 64 + '"\n'
    'python_version = "3.11.9"\nglibc = "2.36"\ninterpreter = "/usr/local/bin/python3.11"\n'
)


def write(root: Path, name: str, text: str) -> Path:
    folder = root / "bases" / name
    folder.mkdir(parents=True)
    (folder / "base.toml").write_text(text)
    return folder


def test_all_bases_are_read_and_templates_are_not(tmp_path: Path) -> None:
    """Folders with a base.toml, by name; a name with an underscore in front is a template."""
    write(tmp_path, "plain", PLAIN)
    write(tmp_path, "debug", 'extends = "plain"\npackages = ["dash"]\n')
    write(tmp_path, "image", IMAGE)
    write(tmp_path, "_template", "nonsense")
    (tmp_path / "bases" / "empty").mkdir()
    bases = read_monorepo(tmp_path).bases
    assert list(bases) == ["debug", "image", "plain"]
    assert (bases["plain"].suite, bases["plain"].platforms) == ("bookworm", ("linux/amd64",))
    assert (bases["debug"].python, bases["debug"].suite) == ("3.11", "")
    assert bases["image"].python_version == "3.11.9"
    assert bases["plain"].lock_path == tmp_path / "bases/plain/base.lock"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (PLAIN + 'pakages = ["a"]\n', 4, "pakages"),
        (PLAIN.replace('["libc6"]', '"libc6"'), 3, "list of strings"),
        (PLAIN.replace('["libc6"]', '["libc6", "Lib C"]'), 3, "no Debian package"),
        (PLAIN.replace('["libc6"]', '["libc6", "libc6"]'), 3, "twice"),
        (PLAIN.replace('["libc6"]', "[]"), 3, "at least one"),
        (PLAIN.replace("3.11", "3.11.2"), 1, "minor version"),
        (PLAIN.replace('"bookworm"', "12"), 2, "string"),
        (PLAIN + 'platforms = ["amd64"]\n', 4, "linux/amd64"),
        (PLAIN + "platforms = []\n", 4, "at least one"),
        (PLAIN + 'extends = "other"\n', 4, "together"),
        ('description = ""\nextends = "other"\npackages = ["dash"]\n', 2, "not a base"),
        ('extends = "mine"\npackages = ["dash"]\n', 1, "circle"),
        ('extends = "mine"\npython = "3.11"\n', 2, "python"),
        (IMAGE.replace("@sha256:", ":"), 2, "pinned"),
        (IMAGE.replace("3.11.9", "3.12.9"), 3, "exact version"),
        (IMAGE.replace('"/usr', '"usr'), 5, "absolute"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Every mistake in a base.toml is found, at its place."""
    folder = write(tmp_path, "mine", text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_base(folder)
    assert f"{folder / 'base.toml'}:{line}:" in caught.value.what


def test_longer_circles_are_found(tmp_path: Path) -> None:
    """Two bases that extend each other are shown in turn."""
    folder = write(tmp_path, "a", 'extends = "b"\npackages = ["dash"]\n')
    write(tmp_path, "b", 'extends = "a"\npackages = ["dash"]\n')
    with pytest.raises(ConfigError, match="a → b → a"):
        read_base(folder)


def test_a_registry_image_cannot_be_extended(tmp_path: Path) -> None:
    """There is no Debian lock to add to."""
    write(tmp_path, "image", IMAGE)
    folder = write(tmp_path, "mine", 'extends = "image"\npackages = ["dash"]\n')
    with pytest.raises(ConfigError, match="registry image"):
        read_base(folder)


def test_a_base_from_nowhere_is_refused(tmp_path: Path) -> None:
    """One of suite, extends and image is needed; so is the file."""
    with pytest.raises(ConfigError, match="where the base comes from"):
        read_base(write(tmp_path, "mine", 'python = "3.11"\n'))
    with pytest.raises(ConfigError, match="does not exist"):
        read_base(tmp_path / "bases" / "other")
    with pytest.raises(ConfigError, match="name a base can have"):
        read_base(write(tmp_path, "Mine!", PLAIN))
