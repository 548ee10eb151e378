"""The files of a component are found as Python would find them, without running anything."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

from eggcrate.errors import ConfigError, SourceError
from eggcrate.repo.closure import Closure, closure
from eggcrate.repo.components import read_component
from eggcrate.repo.sources import Sources
from eggcrate.repo.stdlib import always_standard, is_standard
from eggcrate.repo.values import Component

CATALOGUE = Path(__file__).parents[2]


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())


def step(root: Path, **settings: object) -> Component:
    return Component(
        name="step",
        path=root / "components" / "step",
        description="",
        requires_python=">=3.11",
        dependencies=(),
        **settings,  # type: ignore[arg-type] # by name
    )


def of(root: Path, source: str, more: dict[str, str | bytes] | None = None) -> Closure:
    """The closure of a component with this source, in a small repository."""
    files: dict[str, str | bytes] = {
        "components/__init__.py": "",
        "components/step/__init__.py": "",
        "components/step/component.py": source,
        "components/shared/__init__.py": "",
        "components/shared/frames.py": "from components.shared.errors import Oops\n",
        "components/shared/errors.py": "class Oops(Exception): ...\n",
        "components/shared/deep/__init__.py": "",
        "components/shared/deep/inner.py": "",
        "components/shared/other.py": "",
    }
    write(root, files | (more or {}))
    return closure(step(root), root)


def helpers(found: Closure) -> set[str]:
    """The helpers that travel, without the packages that every component has."""
    prefix = "components/shared/"
    return {path.removeprefix(prefix) for path in found.modules if path.startswith(prefix)} - {
        "__init__.py"
    }


FRAMES = {"frames.py", "errors.py"}
INNER = {"deep/__init__.py", "deep/inner.py"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import components.shared.frames", FRAMES),
        ("import components.shared.frames as f", FRAMES),
        ("from components.shared.frames import Oops", FRAMES),
        ("from components.shared import frames", FRAMES),
        ("from components.shared import (\n    other as o,\n    frames,\n)", FRAMES | {"other.py"}),
        ("from ..shared import frames", FRAMES),
        ("from ..shared.deep import inner", INNER),
        ("from .. import shared\nshared.frames", FRAMES),
        ("import components.shared\ndef f(): return components.shared.frames.x", FRAMES),
        ("import components.shared as s\ns.deep.inner.f()", INNER),
        ("import components\nprint(components.shared.deep.inner)", INNER),
        ("def f():\n    from components.shared import other", {"other.py"}),
        ("class C:\n    from components.shared import other", {"other.py"}),
        ("async def f():\n    async with x: import components.shared.other", {"other.py"}),
        ("match 1:\n    case 1: import components.shared.other", {"other.py"}),
        ("try:\n    import components.shared.other\nexcept ImportError: pass", {"other.py"}),
        ("import importlib\nimportlib.import_module('components.shared.other')", {"other.py"}),
        ("from importlib import import_module as m\nm('components.shared.other')", {"other.py"}),
        ("import_module('..shared.other', __package__)", {"other.py"}),
        ("import_module('.other', package='components.shared')", {"other.py"}),
        ("__import__('components.shared.other')", {"other.py"}),
        ("x = lambda: import_module('components.shared.other')", {"other.py"}),
        ("TABLE = {'a': 'components.shared.other'}", {"other.py"}),
        ("patch('components.shared.other.function')", {"other.py"}),
        ("from components.shared.deep import *", {"deep/__init__.py"}),
        ("if TYPE_CHECKING:\n    import components.shared.frames", set()),
        ("if typing.TYPE_CHECKING:\n    from components.shared import frames", set()),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import components.shared.other", {"other.py"}),
        ("if not TYPE_CHECKING:\n    import components.shared.other", {"other.py"}),
        ("'''Not import components.shared.frames.'''  # nor import components.shared", set()),
        ("import json", set()),
    ],
)
def test_every_way_to_import_is_followed(tmp_path: Path, source: str, expected: set[str]) -> None:
    """Absolute, relative, renamed, by attribute, in functions, dynamic by a literal."""
    found = of(tmp_path, source)
    assert helpers(found) == expected
    assert not found.missing
    assert not found.foreign


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ("__all__ = ['inner']", INNER),
        ("__all__ = ['inner']\n__all__ += ['more']", INNER),
        ("__all__ = ['unknown']", {"deep/__init__.py"}),
        ("__all__ = [n for n in NAMES]", INNER),
        ("__all__ = []\n__all__.extend(NAMES)", INNER),
    ],
)
def test_star_takes_what_all_says(tmp_path: Path, init: str, expected: set[str]) -> None:
    """A package's ``__all__`` names submodules; a computed one may name any."""
    source = "from components.shared.deep import *"
    assert helpers(of(tmp_path, source, {"components/shared/deep/__init__.py": init})) == expected


def test_cycles_end(tmp_path: Path) -> None:
    """Modules that import each other are both found, once."""
    more: dict[str, str | bytes] = {
        "components/shared/frames.py": "from components.shared import other",
        "components/shared/other.py": "from components.shared import frames\nfrom . import other",
    }
    found = of(tmp_path, "from components.shared import frames", more)
    assert helpers(found) == {"frames.py", "other.py"}


def test_namespace_packages(tmp_path: Path) -> None:
    """Folders without ``__init__.py`` are packages too; those without Python files are nothing."""
    write(
        tmp_path,
        {
            "libs/one/tool.py": "",
            "build/report.json": "",
            "components/step/component.py": """
                from libs.one import tool
                import build
                import components.shared.loose
                """,
            "components/shared/loose.py": "",
        },
    )
    found = closure(step(tmp_path), tmp_path)
    assert found.modules == (
        *("components/shared/loose.py", "components/step/component.py", "libs/one/tool.py"),
    )
    assert [item.module for item in found.foreign] == ["build"]


def test_a_package_comes_before_a_module_of_its_name(tmp_path: Path) -> None:
    """As in Python: ``frames/__init__.py``, else ``frames.py``, else the folder ``frames``."""
    source = "import components.shared.frames"
    package: dict[str, str | bytes] = {"components/shared/frames/__init__.py": ""}
    assert helpers(of(tmp_path / "a", source, package)) == {"frames/__init__.py"}
    folder: dict[str, str | bytes] = {"components/shared/frames/data.txt": ""}
    assert helpers(of(tmp_path / "b", source, folder)) == FRAMES


def test_modules_anywhere_in_the_repository(tmp_path: Path) -> None:
    """Helpers need not be in ``components/``; other top-level names are foreign."""
    more: dict[str, str | bytes] = {"lib/__init__.py": "", "lib/x.py": "import numpy", "top.py": ""}
    found = of(tmp_path, "from lib import x\nimport top, pandas", more)
    assert {"lib/__init__.py", "lib/x.py", "top.py"} < set(found.modules)
    assert {item.module for item in found.foreign} == {"numpy", "pandas"}


def test_links_are_followed(tmp_path: Path) -> None:
    """A linked file or folder is what it leads to; a loop ends, a broken link is nothing."""
    outside = tmp_path / "outside"
    write(outside, {"common/far.py": "import components.shared.other"})
    root = tmp_path / "repo"
    write(root, {"components/step/tests/a.txt": ""})
    (root / "components/step/common").symlink_to(outside / "common")
    (root / "components/step/loop").symlink_to(root / "components/step")
    (root / "components/step/tests/gone").symlink_to("nowhere")
    (root / "components/step/tests/loop").symlink_to(".")
    found = of(root, "from .common import far")
    assert "components/step/common/far.py" in found.modules
    assert helpers(found) == {"other.py"}
    assert "components/step/tests/a.txt" in found.tests
    assert "components/step/tests/gone" not in found.files
    assert len(found.digest(root)) == 64


@pytest.mark.parametrize(
    "content",
    [
        b"# coding: latin-1\nNAME = '\xe9'\nimport components.shared.other\n",
        b"\xef\xbb\xbfimport components.shared.other\n",
        b"import json\r\nfrom components.shared import \\\r\n  other\r\n",
        b"import components.shared.other\rimport json\r",
        b"import json; import components.shared.other",
        b"'\\d'\nimport components.shared.other",
    ],
    ids=["encoding", "bom", "crlf", "cr", "one-line", "warning"],
)
def test_any_file_that_python_reads(tmp_path: Path, content: bytes) -> None:
    """Encodings, line ends and warnings make no difference."""
    of(tmp_path, "")
    write(tmp_path, {"components/step/component.py": content})
    assert helpers(closure(step(tmp_path), tmp_path)) == {"other.py"}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("x = 1\ndef (:\n", 2),
        ("x = 1\n\n  y = 2\n", 3),
        (b"x = '\xff'\n", 1),
        (b"x = '\0'\n", 1),
        (b"# coding: no-such\n", 1),
        ("x = " + "(" * 500 + ")" * 500, 1),
    ],
)
def test_source_that_cannot_be_parsed(tmp_path: Path, content: str | bytes, line: int) -> None:
    """The error names file and line."""
    more = {"components/shared/frames.py": content}
    with pytest.raises(SourceError, match=rf"^components/shared/frames\.py:{line}: "):
        of(tmp_path, "import components.shared.frames", more)


def test_broken_files_among_test_data(tmp_path: Path) -> None:
    """A file that is there to be broken is data; a test that cannot be parsed is an error."""
    data: dict[str, str | bytes] = {"components/step/tests/data/bad.py": "def ("}
    assert "components/step/tests/data/bad.py" in of(tmp_path, "", data).tests
    with pytest.raises(SourceError, match=r"test_it\.py:1"):
        of(tmp_path, "", {"components/step/tests/test_it.py": "def ("})


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("import components.shared.nothing", ["components.shared.nothing"]),
        ("import components.nothing.at.all", ["components.nothing.at.all"]),
        ("from components.shared.nothing import x", ["components.shared.nothing"]),
        ("from components.shared import nothing", ["components.shared nothing"]),
        ("from components.shared.frames import gone", ["components.shared.frames gone"]),
        ("import components.shared.frames.inner", ["components.shared.frames.inner"]),
        ("from .nothing import x", ["components.step.nothing"]),
        ("from .... import x", ["...."]),
        ("def f(): import components.shared.nothing", ["components.shared.nothing"]),
        ("import_module('components.shared.nothing')", ["components.shared.nothing"]),
        ("try: import components.shared.nothing\nexcept ImportError: ...", []),
        ("if TYPE_CHECKING: import components.shared.nothing", []),
        ("from components.shared.frames import Oops, __name__", []),
        ("X = 'components.shared.nothing'", []),
        ("import components.shared\ncomponents.shared.nothing", []),
    ],
)
def test_a_module_that_is_not_there(tmp_path: Path, source: str, missing: list[str]) -> None:
    """What the repository should hold and does not is told, with its line."""
    found = of(tmp_path, f"\n{source}")
    assert [f"{item.module} {item.name}".strip() for item in found.missing] == missing
    assert all(item.line == 2 for item in found.missing)
    assert {item.path for item in found.missing} <= {"components/step/component.py"}


@pytest.mark.parametrize(
    "init",
    [
        "nothing = 1",
        "def __getattr__(name): ...",
        "from somewhere import *",
        "globals().update(nothings)",
    ],
)
def test_a_name_that_a_package_may_bind(tmp_path: Path, init: str) -> None:
    """A package may have names that are no modules, in ways that source does not tell."""
    found = of(
        tmp_path, "from components.shared import nothing", {"components/shared/__init__.py": init}
    )
    assert not found.missing


@pytest.mark.parametrize(
    ("source", "flags"),
    [
        ("import far", ""),
        ("from far import x", ""),
        ("def f():\n import far", "d"),
        ("if FLAG:\n import far", "d"),
        ("import_module('far')", ""),
        ("try:\n import far\nexcept ImportError:\n far = None", "g"),
        ("try:\n import far\nexcept (OSError, ModuleNotFoundError):\n pass", "g"),
        ("try:\n import far\nexcept Exception:\n pass", "g"),
        ("try:\n import far\nexcept:\n pass", "g"),
        ("try:\n import far\nexcept ValueError:\n pass", ""),
        ("try:\n import far\nfinally:\n pass", ""),
        ("try:\n import far\nexcept ImportError as e:\n raise Oops('install far') from e", ""),
        ("try:\n import json\nexcept ImportError:\n import far", "gd"),
        ("with suppress(ImportError):\n import far", "g"),
        ("if TYPE_CHECKING:\n import far", "g"),
        ("if sys.version_info < (3, 11):\n import far", "gd"),
        ("if find_spec('far'):\n import far", "gd"),
        ("pytest.importorskip('far')", "g"),
        ("def f():\n try:\n  import far\n except ImportError:\n  pass", "gd"),
        ("x = lambda: import_module('far')", "d"),
    ],
)
def test_how_certain_an_import_is(tmp_path: Path, source: str, flags: str) -> None:
    """Guarded: the program is prepared for it to fail. Deferred: it happens only sometimes."""
    [found] = [item for item in of(tmp_path, source).foreign if item.module == "far"]
    assert (found.guarded, found.deferred) == ("g" in flags, "d" in flags)


def test_an_import_is_as_certain_as_the_way_to_it(tmp_path: Path) -> None:
    """A module that is imported only in a function makes its own imports happen sometimes."""
    more: dict[str, str | bytes] = {
        "components/shared/frames.py": "import near\nfrom components.shared import errors",
        "components/shared/errors.py": "import nearer",
        "components/shared/other.py": "import far\nfrom components.shared import errors",
        "components/shared/deep/__init__.py": "import far",
        "components/step/unused.py": "import far",
        "components/step/__init__.py": "import near",
    }
    source = """
        from components.shared import frames
        def f():
            import components.shared.other
            from components.shared.deep import inner
        """
    found = of(tmp_path, source, more).foreign
    assert {(item.module, item.deferred) for item in found} == {
        *(("near", False), ("nearer", False), ("far", True)),
    }


def test_what_belongs_to_whom(tmp_path: Path) -> None:
    """Code travels; tests, conftests, examples and what only tests import do not."""
    found = of(
        tmp_path,
        "from components.shared.errors import Oops",
        {
            "conftest.py": "import components.shared.other",
            "components/conftest.py": "import pytest",
            "components/step/helper.py": "",
            "components/step/sub/more.py": "",
            "components/step/conftest.py": "",
            "components/step/notes.txt": "",
            "components/step/__pycache__/component.pyc": "",
            "components/step/tests/test_it.py": "from components.shared import frames",
            "components/step/tests/data/in.csv": "",
            "components/step/tests/.pytest_cache/x": "",
            "components/step/examples/small/inputs.json": "",
            "components/step/examples/make.py": "import components.shared.other",
        },
    )
    assert found.modules == (
        *("components/__init__.py", "components/shared/__init__.py"),
        *("components/shared/errors.py", "components/step/__init__.py"),
        *("components/step/component.py", "components/step/helper.py"),
        "components/step/sub/more.py",
    )
    assert found.tests == (
        *("components/conftest.py", "components/shared/frames.py", "components/step/conftest.py"),
        *("components/step/tests/data/in.csv", "components/step/tests/test_it.py"),
    )
    assert found.examples == (
        *("components/step/examples/make.py", "components/step/examples/small/inputs.json"),
    )
    assert [item.module for item in found.test_foreign] == ["pytest"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.sql", {"shared/a.sql", "step/b.sql", "top.sql"}),
        ("q/*.sql", {"step/q/c.sql"}),
        ("q", {"step/q/c.sql", "step/q/r/d.sql"}),
        ("q/**", {"step/q/c.sql", "step/q/r/d.sql"}),
        ("**/*.sql", {"shared/a.sql", "step/b.sql", "step/q/c.sql", "step/q/r/d.sql"}),
        ("*/*.sql", {"step/q/c.sql"}),
        ("b.*", {"step/b.sql"}),
        ("*.py", {"shared/other.py"}),  # what is imported in ways that nobody can read
        ("*.none", set()),
    ],
)
def test_data_stands_beside_modules(tmp_path: Path, pattern: str, expected: set[str]) -> None:
    """Patterns match beside every module that travels, never another component's or tests'."""
    of(tmp_path, "import components.shared.frames")
    names = ["shared/a.sql", "step/b.sql", "step/q/c.sql", "step/q/r/d.sql", "step/q/r/.e.sql"]
    names += ["top.sql", "other/f.sql", "step/tests/g.sql", "step/examples/h.sql", "other/q/i.sql"]
    write(tmp_path, {f"components/{name}": "" for name in names})
    found = closure(step(tmp_path, data=(pattern,)), tmp_path)
    hidden = {"step/q/r/.e.sql"} if pattern in {"q", "q/**"} else set()
    assert set(found.data) == {f"components/{name}" for name in expected | hidden}
    assert found.unmatched == ((pattern,) if pattern == "*.none" else ())


@pytest.mark.parametrize("pattern", ["/etc/*", "../*.sql", "a/../../b", ""])
def test_data_stays_in_the_repository(tmp_path: Path, pattern: str) -> None:
    """A pattern that leads elsewhere is refused."""
    of(tmp_path, "")
    with pytest.raises(ConfigError, match="data"):
        closure(step(tmp_path, data=(pattern,)), tmp_path)


def test_the_digest_is_of_paths_modes_and_contents(tmp_path: Path) -> None:
    """Times and other files do not count; a byte, a name and an executable bit do."""
    found = of(tmp_path / "a", "import components.shared.frames")
    first = found.digest(tmp_path / "a")
    again = of(tmp_path / "b", "import components.shared.frames", {"components/shared/new.py": ""})
    os.utime(tmp_path / "b" / "components" / "step" / "component.py", (0, 0))
    assert again.digest(tmp_path / "b") == first
    errors = tmp_path / "b" / "components" / "shared" / "errors.py"
    errors.chmod(0o755)
    executable = again.digest(tmp_path / "b")
    errors.write_text("class Oops(Exception): x = 1\n")
    changed = again.digest(tmp_path / "b")
    added = of(tmp_path / "b", "import components.shared.frames", {"components/step/new.py": ""})
    assert len({first, executable, changed, added.digest(tmp_path / "b")}) == 4


def test_each_file_is_read_once_for_many(tmp_path: Path) -> None:
    """One ``Sources`` serves all components of a run, and keeps what it saw."""
    found = of(tmp_path, "import components.shared.frames")
    sources = Sources(tmp_path)
    digest = closure(step(tmp_path), tmp_path, sources=sources).digest(tmp_path, sources=sources)
    (tmp_path / "components/shared/frames.py").write_text("import components.shared.other")
    again = closure(step(tmp_path), tmp_path, sources=sources)
    assert (again, again.digest(tmp_path, sources=sources)) == (found, digest)
    assert closure(step(tmp_path), tmp_path) != found


def test_the_catalogue() -> None:
    """What this repository's own components import is all there, and helpers are told apart."""
    sources = Sources(CATALOGUE)
    found = {
        path.parent.name: closure(read_component(path.parent), CATALOGUE, sources=sources)
        for path in sorted(CATALOGUE.glob("components/*/component.py"))
    }
    for name, each in found.items():
        assert f"components/{name}/component.py" in each.modules
        assert not each.missing
        assert not each.test_missing
        assert not each.unmatched
    assert "components/shared/libraries.py" in found["predict"].modules
    assert "components/shared/libraries.py" not in found["prepare_data"].modules


def test_the_standard_library_is_the_targets() -> None:
    """Modules come and go; the environment's Python decides, not the one we run on."""
    assert is_standard("os.path", "3.9.2")
    assert [is_standard("distutils.core", v) for v in ("3.11", "3.12.1")] == [True, False]
    assert [is_standard("tomllib", v) for v in ("3.10", "3.11")] == [False, True]
    assert [is_standard("compression.zstd", v) for v in ("3.13", "3.14")] == [False, True]
    assert not is_standard("numpy", "3.11")
    assert not always_standard("distutils")
