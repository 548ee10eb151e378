"""``eggcrate package``: a wheel of helper modules, the same bytes from every checkout."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from installer.sources import WheelFile
from packaging.utils import parse_wheel_filename

from eggcrate import cli
from eggcrate.errors import ConfigError, UsageError
from eggcrate.pipelines.helper_wheel import HelperWheel, make_helper_wheel
from eggcrate.repo.sources import Sources
from support.compiled import Repo
from support.pip_command import pip_command

HERE = Path(__file__).parents[2]
SHARED = {
    "components/shared/__init__.py": "",
    "components/shared/deep/__init__.py": "from ..sums import add\n",
    "components/shared/sums.py": "import numpy\n\n\ndef add(a, b):\n    return a + b\n",
    "components/shared/deep/names, all.sql": "SELECT 1\n",
    "components/shared/deep/größe.txt": "ä\n",
}
NOISE = {
    "components/shared/tests/test_sums.py": "import not_here\n",
    "components/shared/conftest.py": "",
    "components/shared/.hidden/x.py": "",
    "components/shared/.gitignore": "",
    "components/shared/__pycache__/sums.cpython-311.pyc": "",
    "components/other/component.py": "",
}


def made(repo: Repo, version: str = "") -> HelperWheel:
    return make_helper_wheel(Sources(repo.root), version=version)


@pytest.fixture
def helped(repo: Repo) -> Repo:
    repo.write(SHARED)
    return repo


def test_two_checkouts_make_the_same_bytes(helped: Repo, tmp_path: Path) -> None:
    """Whatever the umask, the dates, the order of writing, and what tools leave behind."""
    before = os.umask(0o077)
    try:
        other = Repo.make(tmp_path / "elsewhere" / "deep")
        other.write({**NOISE, **dict(reversed(SHARED.items()))})
    finally:
        os.umask(before)
    for path in other.root.rglob("*.py"):
        os.utime(path, (10**9, 10**9))
        path.chmod(0o700)
    assert made(other).content == made(helped).content
    assert made(other).filename == made(helped).filename
    assert made(other, "2.0").content == made(helped, "2.0").content


def test_the_version_is_that_of_the_content(helped: Repo) -> None:
    """Another one when any file is, the data included, and the same one when they are again."""
    first = made(helped).version
    assert parse_wheel_filename(made(helped).filename)[1].public == "0.0.0"
    helped.write({"components/shared/deep/größe.txt": "ö\n"})
    assert made(helped).version != first
    helped.write({"components/shared/deep/größe.txt": "ä\n"})
    assert made(helped).version == first
    assert made(helped, "1.04-rc1").version == "1.4rc1"
    with pytest.raises(UsageError, match="'one' is not a version"):
        made(helped, "one")


def test_installers_accept_it(helped: Repo, tmp_path: Path) -> None:
    """PyPA's installer finds each file in RECORD, as it is; the name says what it is."""
    helped.write(NOISE)
    wheel = made(helped, "1.4.0")
    path = tmp_path / wheel.filename
    path.write_bytes(wheel.content)
    with WheelFile.open(path) as opened:
        opened.validate_record(validate_contents=True)
        assert (opened.distribution, opened.version) == ("components_shared", "1.4.0")
    name, version, _, tags = parse_wheel_filename(wheel.filename)
    assert (name, str(version), [str(tag) for tag in tags]) == (
        *("components-shared", "1.4.0"),
        ["py3-none-any"],
    )
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        held = archive.infolist()
    assert {item.filename for item in held if ".dist-info/" not in item.filename} == set(SHARED)
    assert {(item.date_time[0], item.external_attr >> 16) for item in held} == {(1980, 0o100644)}


def test_pip_installs_this_repository_s(tmp_path: Path) -> None:
    """Into a new virtual environment, without any index; what needs no package is imported."""
    code = cli.main(["--repo", str(HERE), "package", "--output", str(tmp_path / "wheels")])
    assert code == 0
    (wheel,) = (tmp_path / "wheels").iterdir()
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [*pip_command(venv), "install", "--quiet"]
    alone = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull}
    offline = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([*pip, *offline, wheel], check=True, env=alone, cwd=tmp_path)
    script = (
        "import components.shared.errors as it, importlib.metadata as m;"
        "print(it.__file__, m.version('components-shared'))"
    )
    done = subprocess.run(
        [venv / "bin/python", "-I", "-c", script], check=True, capture_output=True, text=True
    )
    file, version = done.stdout.split()
    assert Path(file).is_relative_to(venv)
    assert f"-{version}-" in wheel.name


def test_the_command_tells_both_ways_to_use_it(
    helped: Repo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path and hash of what is written; a plus sign is quoted in addresses; dry runs write none."""
    helped.write({"pyproject.toml": '[project]\nname = "small"\nversion = "1"\n'})
    monkeypatch.setenv("EGGCRATE_CACHE", str(helped.root.parent / "cache"))
    wheel = made(helped)
    path = helped.root / "build" / "packages" / wheel.filename
    call = ["--repo", str(helped.root), "package"]
    assert cli.main([*call, "--dry-run"]) == 0
    assert f"would write {path}" in capsys.readouterr().out
    assert not path.exists()
    assert cli.main(call) == 0
    out = capsys.readouterr().out
    assert path.read_bytes() == wheel.content
    quoted = wheel.filename.replace("+", "%2B")
    assert f"eggcrate add ENV 'components-shared @ https://HOST/PATH/{quoted}'" in out
    assert f'wheel = "https://HOST/PATH/{quoted}#sha256={wheel.sha256}"' in out
    assert cli.main([*call, "--json", "--version", "3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "eggcrate.package/1"
    assert told["sha256"] == made(helped, "3").sha256
    assert Path(told["path"]).name == "components_shared-3-py3-none-any.whl"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"components/shared/bad.py": "import components.train.core\n"},
            r"bad\.py imports components/train/core\.py, which the wheel of components/shared",
        ),
        (
            {"components/shared/bad.py": "import json\nfrom components.shared import nothing\n"},
            r"bad\.py:2 imports components\.shared\.nothing, which the repository does not hold",
        ),
        (
            {"components/shared/fast.cpython-311-x86_64-linux-gnu.so": ""},
            r"gnu\.so is compiled for one Python and platform",
        ),
    ],
)
def test_what_would_break_elsewhere_is_refused(
    helped: Repo, files: dict[str, str], told: str
) -> None:
    """Modules that import from the repository what the wheel has not, and compiled ones."""
    helped.write({"components/train/__init__.py": "", "components/train/core.py": "", **files})
    with pytest.raises(ConfigError, match=told):
        made(helped)


def test_a_repository_without_helpers(helped: Repo) -> None:
    """Is told where they would be."""
    shutil.rmtree(helped.root / "components" / "shared")
    with pytest.raises(ConfigError, match="holds no modules that components could import"):
        made(helped)
