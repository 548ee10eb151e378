"""Every way that helper code can take to where a component runs, each run for real."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.build.bake import bake_into_store
from eggcrate.errors import CompileError
from eggcrate.files import sha256_file
from eggcrate.packages.modules import modules_in
from eggcrate.pipelines.code import code_of
from eggcrate.pipelines.helper_wheel import make_helper_wheel
from eggcrate.pipelines.launch import executor_input, resolved
from eggcrate.pipelines.open_task import Choice, Share
from eggcrate.pipelines.outputs import read_outputs
from eggcrate.pipelines.pickling import captured
from eggcrate.pipelines.sharing import BAKED, MOUNTED, Shipment, Site, Ways, ship
from eggcrate.registry.layout import Layout
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.repo.sources import Sources
from eggcrate.runtimes.protocol import Command, Limits, Mount
from eggcrate.runtimes.sandbox import Sandbox
from support.images import folder, put_image, symlink
from support.python_image import PYTHON, python_layer

if TYPE_CHECKING:
    from pathlib import Path

    from support.compiled import Repo

pytestmark = pytest.mark.sandbox

COMPONENT = """
    import os
    from typing import NamedTuple

    from components.shared.outer import outer
    from eggcrate import component


    class Told(NamedTuple):
        value: int
        module: str


    @component
    def it(x: int) -> Told:
        return Told(value=outer(x), module=outer.__module__)
"""
OUTER = "from components.shared.inner import inner\n\n\ndef outer(x):\n    return inner(x) + 1\n"
INNER = "def inner(x):\n    return 2 * x\n"
SHARED = {
    "components/shared/__init__.py": "",
    "components/shared/outer.py": OUTER,
    "components/shared/inner.py": INNER,
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str, Path]:
    """A store with an image that has a Python where ours have it, and a cache."""
    layout = Layout(tmp_path_factory.mktemp("image") / "store")
    members = [
        *python_layer(),
        *(folder(name) for name in ("opt", "opt/env", "opt/env/bin")),
        symlink("opt/env/bin/python", PYTHON),
    ]
    digest = put_image(layout, "python", [members]).digest
    return layout, digest, tmp_path_factory.mktemp("cache")


@pytest.fixture
def helped(repo: Repo) -> Repo:
    repo.write(SHARED)
    repo.component("it", {"__init__.py": "", "component.py": COMPONENT})
    return repo


def shipped(
    repo: Repo,
    image: tuple[Layout, str, Path],
    share: Share,
    *,
    ways: Ways | None = None,
    modules: frozenset[str] = frozenset(),
) -> Shipment:
    layout, digest, cache = image
    name = f"localhost/eggcrate/python@{digest}"

    def bake(image: str, files: Any) -> str:
        base = image.partition("@")[2]
        return f"x/python@{bake_into_store(layout, 'python', base, files, cache=cache)}"

    component = read_monorepo(repo.root).components["it"]
    choice = Choice(module="components.it.component", function="it", share=share)
    python = ".".join(map(str, __import__("sys").version_info[:3]))
    return ship(
        choice,
        code_of(component, repo.root, sources=Sources(repo.root)),
        Site(environment="python", image=name, python=python, modules=modules),
        ways or Ways(),
        bake=bake,
        capture=functools.partial(captured, root=repo.root),
    )


def run(
    repo: Repo,
    image: tuple[Layout, str, Path],
    shipment: Shipment,
    *,
    mounts: tuple[Mount, ...] = (),
    env: dict[str, str] | None = None,
    x: int = 3,
) -> tuple[int | None, str, Any]:
    """The task's exit code, what it wrote and what it gave."""
    layout, _, cache = image
    compiled = repo.compiled("it")
    outputs = repo.root.parent / "outputs"
    outputs.mkdir(exist_ok=True)
    given = executor_input(
        compiled.definition, parameters={"x": x}, artifacts={}, folder="/eggcrate/outputs"
    )
    runtime = Sandbox(layout, cache)
    result = runtime.run(
        runtime.prepare(shipment.image.partition("@")[2]),
        Command(
            argv=(*shipment.command, *resolved(compiled.arguments, given)),
            limits=Limits(memory=256 << 20, seconds=60),
            env=env or {},
            mounts=(*mounts, Mount(source=outputs, target="/eggcrate/outputs", writable=True)),
        ),
    )
    told = None
    if result.exit_code == 0:
        told = dict(read_outputs(compiled.definition, outputs, "/eggcrate/outputs").parameters)
    return result.exit_code, result.output, told


GOOD = {"value": 7, "module": "components.shared.outer"}


def test_in_the_command(helped: Repo, image: tuple[Layout, str, Path]) -> None:
    """The default: nothing is needed from outside."""
    code, output, told = run(helped, image, shipped(helped, image, Share.INJECT))
    assert (code, told) == (0, GOOD), output


def test_in_a_config_map(helped: Repo, image: tuple[Layout, str, Path], tmp_path: Path) -> None:
    """The command is small and names the code by its hash; another one's code is not run."""
    shipment = shipped(helped, image, Share.CONFIG_MAP)
    assert sum(map(len, shipment.command)) < 4096
    config_map = shipment.config_map
    assert config_map is not None
    assert config_map.name.startswith("eggcrate-it-")
    assert shipment.kubernetes["configMapAsVolume"][0]["configMapName"] == config_map.name
    (tmp_path / "map").mkdir()
    file = tmp_path / "map" / next(iter(config_map.manifest["binaryData"]))
    file.write_bytes(config_map.content)
    mounted = (Mount(source=tmp_path / "map", target=MOUNTED),)
    code, output, told = run(helped, image, shipment, mounts=mounted)
    assert (code, told) == (0, GOOD), output
    file.write_bytes(config_map.content[:-1] + b"x")
    code, output, _ = run(helped, image, shipment, mounts=mounted)
    assert code == 1
    assert "is not what it was compiled with" in output


def test_on_a_volume(helped: Repo, image: tuple[Layout, str, Path]) -> None:
    """Helpers are those of the volume when the task starts, so results are never cached."""
    shipment = shipped(helped, image, Share.VOLUME, ways=Ways(volume="team-code"))
    assert not shipment.cacheable
    assert shipment.kubernetes["pvcMount"][0]["constant"] == "team-code"
    assert "components/shared/inner.py" not in shipment.bundle.files
    mounted = (Mount(source=helped.root, target=MOUNTED),)
    code, output, told = run(helped, image, shipment, mounts=mounted)
    assert (code, told) == (0, GOOD), output
    helped.write({"components/shared/inner.py": INNER.replace("2 * x", "5 * x")})
    _, _, told = run(helped, image, shipment, mounts=mounted)
    assert told == {**GOOD, "value": 16}
    code, output, _ = run(helped, image, shipment)
    assert code == 1
    assert "the volume with the helper code holds no components/shared" in output
    with pytest.raises(CompileError, match="no volume is set"):
        shipped(helped, image, Share.VOLUME)


@pytest.mark.parametrize("whole", [False, True])
def test_in_a_package_of_the_environment(
    helped: Repo, image: tuple[Layout, str, Path], tmp_path: Path, *, whole: bool
) -> None:
    """The component's own part of ``components`` is found beside the installed part.

    Whether that is the wheel that ``eggcrate package`` makes, or another one's, which holds the
    package above too.
    """
    wheel = make_helper_wheel(Sources(helped.root))
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        archive.extractall(tmp_path / "site")
        modules = modules_in(archive.namelist())
    assert modules == {"components.shared"}
    if whole:
        (tmp_path / "site/components/__init__.py").touch()
        modules = frozenset({"components"})
    shipment = shipped(helped, image, Share.PACKAGE, modules=modules)
    assert not [path for path in shipment.bundle.files if "shared" in path]
    code, output, told = run(
        helped,
        image,
        shipment,
        mounts=(Mount(source=tmp_path / "site", target="/eggcrate/site"),),
        env={"PYTHONPATH": "/eggcrate/site"},
    )
    assert (code, told) == (0, GOOD), output


def test_in_a_package_that_is_installed(
    helped: Repo, image: tuple[Layout, str, Path], tmp_path: Path
) -> None:
    """A wheel that no lock holds is fetched when the task starts, and must be the one it was."""
    made = make_helper_wheel(Sources(helped.root), version="1.0")
    wheel = tmp_path / made.filename
    wheel.write_bytes(made.content)
    url = f"file:///eggcrate/inputs/{wheel.name}#sha256="
    mounted = (Mount(source=wheel, target=f"/eggcrate/inputs/{wheel.name}"),)
    good = shipped(helped, image, Share.PACKAGE, ways=Ways(wheel=url + sha256_file(wheel)))
    code, output, told = run(helped, image, good, mounts=mounted)
    assert (code, told) == (0, GOOD), output
    other = shipped(helped, image, Share.PACKAGE, ways=Ways(wheel=url + "0" * 64))
    code, output, _ = run(helped, image, other, mounts=mounted)
    assert code == 1
    assert "is not the wheel that this task was compiled with" in output
    with pytest.raises(CompileError, match=r"has none that holds components\.shared"):
        shipped(helped, image, Share.PACKAGE)


def test_in_a_pickle(helped: Repo, image: tuple[Layout, str, Path], tmp_path: Path) -> None:
    """No file of the repository travels; the same bytes from another checkout."""
    shipment = shipped(helped, image, Share.PICKLE)
    assert not [path for path in shipment.bundle.files if path.startswith("components")]
    code, output, told = run(helped, image, shipment)
    assert (code, told) == (0, GOOD), output
    elsewhere = type(helped).make(tmp_path / "else" / "where")
    elsewhere.write(SHARED)
    elsewhere.component("it", {"__init__.py": "", "component.py": COMPONENT})
    assert shipped(elsewhere, image, Share.PICKLE).command == shipment.command


def test_a_pickle_takes_what_is_here(helped: Repo, image: tuple[Layout, str, Path]) -> None:
    """A package that only the environment holds cannot be pickled around."""
    helped.component("it", {"component.py": f"import not_here_at_all\n{COMPONENT}".lstrip()})
    helped.write({"components/it/component.py": "import not_here_at_all\n"})
    with pytest.raises(CompileError, match="cannot be pickled") as told:
        shipped(helped, image, Share.PICKLE)
    assert "not_here_at_all" in told.value.why


def test_in_the_image(helped: Repo, image: tuple[Layout, str, Path]) -> None:
    """One layer on top of the environment's: the rest is the very same, and so is the next one."""
    layout, digest, _ = image
    shipment = shipped(helped, image, Share.IMAGE)
    made = shipment.image.partition("@")[2]
    below, above = (json.loads(layout.read_blob(one)) for one in (digest, made))
    assert [one["digest"] for one in above["layers"][:-1]] == [
        one["digest"] for one in below["layers"]
    ]
    assert shipment.command[3] == BAKED
    code, output, told = run(helped, image, shipment)
    assert (code, told) == (0, GOOD), output
    assert shipped(helped, image, Share.IMAGE).image == shipment.image


def test_a_task_ends_itself_after_its_time(helped: Repo, image: tuple[Layout, str, Path]) -> None:
    """On every backend alike, telling where it was."""
    helped.write(
        {"components/shared/inner.py": "import time\n\n\ndef inner(x):\n    time.sleep(600)\n"}
    )
    shipment = shipped(helped, image, Share.INJECT)
    code, output, _ = run(helped, image, shipment, env={"EGGCRATE_TIMEOUT": "2"})
    assert code == 1
    assert "components/shared/inner.py" in output
    assert "in inner" in output
