"""Compiling: what KFP's own decorator would say, without the packages that components import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.pipelines.compile import Compiled, compile_components
from eggcrate.repo.monorepo import read_monorepo

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.compiled import Repo

IMAGE = "registry.test/images/small@sha256:" + "0a" * 32
EVERYTHING = '''
"""Everything that KFP can pass."""

from typing import Dict, List, NamedTuple, Optional

import numpy as np
import pandas as pd
from absent_library import Base, decorated
from kfp.dsl import ClassificationMetrics, Dataset, Input, InputPath, Metrics, Model, Output
from kfp.dsl import OutputPath
from eggcrate import component

pd.options.mode.copy_on_write = True
LIMIT = np.finfo("float64").eps * 2
LARGE = np.float64(3) > 2


class Mine(Base, pd.DataFrame):
    """Inherits from what is not here."""


@decorated
def helper(frame: pd.DataFrame) -> np.ndarray:
    return frame.to_numpy()


@decorated(cache=True)
class Thing:
    pass


class Given(NamedTuple):
    """Several outputs."""

    rows: int
    share: float
    names: list


@component
def everything(
    data: Input[Dataset],
    many: Input[List[Model]],
    raw: InputPath("Dataset"),
    text: str,
    model: Output[Model],
    metrics: Output[Metrics],
    curve: Output[ClassificationMetrics],
    path: OutputPath(str),
    maybe: Optional[Input[Dataset]] = None,
    number: int = 3,
    share: float = 0.5,
    flag: bool = True,
    words: Optional[List[str]] = None,
    table: Dict[str, int] = {"a": 1},
) -> Given:
    """Take all there is.

    Args:
        data: Where it begins.
        text: A word.

    Returns:
        How much there was.
    """
'''
BY_KFP = """
    import json, sys, types
    given = json.load(sys.stdin)
    for name in ("numpy", "pandas", "absent_library"):
        sys.modules[name] = None
    from kfp import compiler, dsl
    import kfp.dsl as kfp_dsl
    from typing import *
    from kfp.dsl import *
    scope = {}
    text = given["text"]
    start = text.index("class Given")
    source = "from typing import *\\nfrom kfp.dsl import *\\n" + text[start:]
    source = source.replace("@component", "@dsl.component(base_image='x', target_image='x')")
    open("plain.py", "w").write("from kfp import dsl\\n" + source)
    sys.path.insert(0, ".")
    import plain
    from google.protobuf import json_format
    print(json.dumps(json_format.MessageToDict(plain.everything.pipeline_spec)))
"""
LOADS = """
    import json, sys, yaml
    given = json.load(sys.stdin)
    open("it.yaml", "w").write(yaml.safe_dump(given))
    from kfp import components, compiler, dsl
    loaded = components.load_component_from_file("it.yaml")

    @dsl.pipeline(name="around")
    def around():
        loaded(name="you").set_retry(2)

    compiler.Compiler().compile(around, "around.yaml")
    print(json.dumps([
        sorted(loaded.component_spec.inputs),
        sorted(loaded.component_spec.outputs),
        yaml.safe_load(open("around.yaml")),
    ]))
"""
HELLO = """
    from eggcrate import component


    @component
    def hello(name: str, times: int = 2) -> str:
        return "hello " * times + name
"""


def test_an_interface_is_what_kfps_own_decorator_makes(
    repo: Repo, by_kfp: Callable[[str, Any], Any]
) -> None:
    """Types, artifacts, defaults, docstrings and outputs, with none of its imports installed."""
    repo.component("everything", {"component.py": EVERYTHING})
    ours = repo.compiled("everything").interface.spec
    theirs = by_kfp(BY_KFP, {"text": EVERYTHING})
    assert ours["components"] == theirs["components"]
    assert ours["root"] == theirs["root"]
    assert ours["components"]["comp-everything"]["inputDefinitions"]["artifacts"].keys() == {
        *("data", "many", "raw", "maybe")
    }


def test_kfp_reads_what_is_compiled_and_compiles_it_into_a_pipeline(
    repo: Repo, by_kfp: Callable[[str, Any], Any]
) -> None:
    """Its own loader and compiler take the placed specification, image and command unchanged."""
    repo.component("hello", {"component.py": HELLO})
    compiled = repo.compiled("hello")
    spec: dict[str, Any] = json.loads(json.dumps(compiled.interface.spec))
    container = spec["deploymentSpec"]["executors"]["exec-hello"]["container"]
    container |= {"image": IMAGE, "command": list(compiled.bundle.command)}
    inputs, outputs, around = by_kfp(LOADS, spec)
    assert (inputs, outputs) == (["name", "times"], ["Output"])
    [executor] = around["deploymentSpec"]["executors"].values()
    assert executor == spec["deploymentSpec"]["executors"]["exec-hello"]
    assert executor["container"]["image"] == IMAGE
    assert executor["container"]["command"][:2] == ["/opt/env/bin/python", "-c"]


MARK = "from eggcrate import component\n\n\n@component\n"
TWO = f"{MARK}def a(x: int):\n    pass\n\n\n@component\ndef b(x: int):\n    pass\n"
KFPS = "from kfp import dsl\n\n@dsl.component(base_image='x')\ndef kfps(x: int):\n    pass\n"
LATE = f"from __future__ import annotations\n{MARK}def late(x: int):\n    pass\n"
LACKS = f"from components.lacks import nowhere\n{MARK}def lacks(x: int):\n    pass\n"
STRANGE = f"import pandas as pd\n{MARK}def strange(frame: pd.DataFrame):\n    pass\n"
REFUSALS = {
    "broken": ("def broken(:\n    pass\n", "component.py"),
    "none": ("def none() -> str:\n    return ''\n", "has no component in it"),
    "several": (TWO, "has a, b"),
    "late": (LATE, "remove `from __future__ import annotations`"),
    "untyped": (f"{MARK}def untyped(x):\n    pass\n", "Missing type annotation for argument: x"),
    "strange": (STRANGE, "pandas.DataFrame"),
    "kfps": (KFPS, "makes kfps with KFP's own decorator"),
    "raises": ("from components.raises import inner\n", "components/raises/inner.py, line 2"),
    "lacks": (LACKS, "nowhere"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_compiled_is_told_in_words(repo: Repo, name: str) -> None:
    """Each with the file and what is wrong in it; never a traceback."""
    text, says = REFUSALS[name]
    files = {"component.py": text}
    if name == "raises":
        files["inner.py"] = "import sys\nraise RuntimeError('not today')\n"
    repo.component(name, files)
    told = repo.refused(name)
    assert says in told
    assert "Traceback" not in told


def test_one_that_cannot_be_compiled_does_not_stop_the_others(repo: Repo) -> None:
    """And what a module prints while it is imported is not mistaken for the answer."""
    repo.component("hello", {"component.py": "print('{')" + HELLO.replace("\n    ", "\n")})
    repo.component("exits", {"component.py": "import sys\nsys.exit(3)\n"})
    assert repo.compiled("hello").definition["executorLabel"] == "exec-hello"
    assert "SystemExit" in repo.refused("exits")


@pytest.mark.parametrize("code", [0, 3])
def test_one_that_ends_the_process_does_not_stop_the_others(repo: Repo, code: int) -> None:
    """``os._exit`` while a component is imported: its name, its code, and the others compiled."""
    repo.component("hello", {"component.py": HELLO.replace("\n    ", "\n")})
    repo.component("dies", {"component.py": f"import os\nos._exit({code})\n"})
    components = read_monorepo(repo.root).components.values()
    found = compile_components(components, repo.root)
    assert isinstance(found["hello"], Compiled)
    told = str(found["dies"])
    assert "components/dies/component.py ended the process that imports it" in told
    assert f"exit code {code}" in told


def test_importing_eggcrate_is_cheap_and_imports_no_kfp() -> None:
    """The command line has no use for it; neither has a container."""
    program = (
        "import sys, eggcrate, json\n"
        "before = [name for name in sys.modules if name.startswith(('kfp', 'eggcrate.'))]\n"
        "print(json.dumps([before, callable(eggcrate.component), 'kfp' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(done.stdout) == [[], True, False]


def test_where_a_component_runs_the_decorator_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The function stays a function; ``python_func`` is there as on KFP's own components."""
    from eggcrate import component  # noqa: PLC0415 - as a component does

    monkeypatch.setenv("_KFP_RUNTIME", "true")

    def double(number: int) -> int:
        return number * 2

    for made in (component(double), component()(double)):
        assert made is double
        assert made.python_func(4) == 8
