"""Two packages, one path: fine, refused, or allowed and then decided by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.build.overlaps import overlap_unit, overlaps
from eggcrate.build.venv import venv_unit
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import wheel_units
from eggcrate.errors import BuildError
from eggcrate.files import sha256_file
from eggcrate.packages.distribution import Distribution
from support.repository import packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eggcrate.build.units import UnitRecord
    from support.repository import Repository

SCHEME = Scheme(prefix="opt/env", minor="3.11")
SITE = "opt/env/lib/python3.11/site-packages"


def _units(tmp_path: Path, wheels: Mapping[str, Mapping[str, str]]) -> list[UnitRecord]:
    made = {}
    for name, files in wheels.items():
        path = make_wheel(tmp_path, name, files=files)
        item = Distribution(name=name, version="1.0", filename=path.name, sha256=sha256_file(path))
        made[item] = path
    return list(wheel_units(made, lambda _: made, scheme=SCHEME, cache=tmp_path).values())


def test_the_same_bytes_at_one_path_are_fine(tmp_path: Path) -> None:
    """Namespace packages with the same ``__init__.py``, as nvidia's."""
    same = {"space/__init__.py": "# nothing\n"}
    found = _units(tmp_path, {"one": {**same, "space/a.py": ""}, "two": {**same, "space/b.py": ""}})
    assert overlaps(found, ()) == {}


def test_other_bytes_are_refused_by_name_and_path(tmp_path: Path) -> None:
    """Both packages and the path are named, and so is the way out."""
    found = _units(tmp_path, {"one": {"cv/x.py": "1"}, "two": {"cv/x.py": "2"}})
    with pytest.raises(BuildError) as caught:
        overlaps(found, ("cv/x.py",))  # a pattern is relative to /opt/env, so this is none
    assert f"{SITE}/cv/x.py (one and two)" in caught.value.what
    assert "allow-overlap" in caught.value.hint


@pytest.mark.parametrize("backwards", [False, True])
def test_allowed_overlaps_go_to_the_last_name(tmp_path: Path, *, backwards: bool) -> None:
    """Whatever the order of the lock, and also when three write and the third agrees."""
    contents = {"alpha": "1", "beta": "2", "gamma": "2"}
    found = _units(tmp_path, {name: {"cv/x.py": text} for name, text in contents.items()})
    if backwards:
        found.reverse()
    winners = overlaps(found, ("lib/python*/site-packages/cv/*",))
    assert list(winners) == [f"{SITE}/cv/x.py"]
    assert winners[f"{SITE}/cv/x.py"].unit.name in {"beta", "gamma"}
    unit = overlap_unit(winners, cache=tmp_path)
    assert [(file.path, file.size) for file in unit.files] == [(f"{SITE}/cv/x.py", 1)]
    beta = next(item for item in found if item.unit.name == "beta")
    assert next(f for f in beta.files if f.path.endswith("x.py")).crc32 == unit.files[0].crc32


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_a_file_over_a_folder_is_refused(tmp_path: Path, order: tuple[str, str]) -> None:
    """No order of layers gives both, so that no setting allows it."""
    shapes = dict(zip(order, ({"thing": "a file"}, {"thing/x.py": "in a folder"}), strict=True))
    found = _units(tmp_path, shapes)
    with pytest.raises(BuildError, match=f"{SITE}/thing .{order[0]} has a file there, {order[1]}"):
        overlaps(found, ("*",))


def test_the_virtual_environment_itself_is_not_overwritten(tmp_path: Path) -> None:
    """A wheel that brings its own ``bin/python`` or ``lib64`` is refused by name."""
    venv = venv_unit(
        scheme=SCHEME, interpreter="/usr/bin/python3.11", version="3.11.2", cache=tmp_path
    )
    for path, told in (("scripts/python", "bin/python"), ("data/lib64/x.so", "lib64")):
        [record] = _units(tmp_path, {f"bad-{path[-1]}": {f"{{data}}/{path}": "x"}})
        with pytest.raises(BuildError, match=f"opt/env/{told} "):
            overlaps([venv, record], ())


@pytest.mark.network
@pytest.mark.sandbox
def test_the_winner_wins_with_its_bytecode(
    small: Repository, wheel: Callable[..., Path], tmp_path: Path
) -> None:
    """Source and ``.pyc`` are the last package's, in every order; refused unless allowed."""
    made = packages(
        wheel("alpha", files={"shared.py": "WHO = 'alpha'\n", "alpha.py": ""}),
        wheel("zulu", files={"shared.py": "WHO = 'zulu'\n", "zulu.py": ""}),
        wheel("mike", files={"shared.py": "WHO = 'mike'\n", "mike.py": ""}),
    )
    base = 'base = "python-3.11"'
    small.environment("refused", made)
    allowed = f'{base}\nallow-overlap = ["lib/python3.11/site-packages/shared.py"]'
    small.environment("allowed", made, settings=allowed)
    small.environment("wrong-way", reversed(made), settings=allowed)
    ran = small.run("build", "--all", "--json")
    refused, results = ran.results[1], [ran.results[0], ran.results[2]]
    assert ran.code == 1
    assert refused["verdict"] in {"failed", "blocked"}
    assert "shared.py (alpha and mike)" in refused["error"]
    assert [item["verdict"] for item in results] == ["built", "built"]
    kept = [small.layers(item["digest"]) for item in results]
    assert kept[0] == kept[1]
    script = (
        "import shared, importlib.util as u, pathlib, marshal\n"
        "exec(marshal.loads(pathlib.Path(u.cache_from_source(shared.__file__)).read_bytes()[16:]))\n"
        "print(shared.WHO, WHO, pathlib.Path(shared.__file__).read_text().strip())"
    )
    assert small.python(results[0]["digest"], script) == "zulu zulu WHO = 'zulu'"
