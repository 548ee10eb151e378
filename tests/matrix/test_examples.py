"""Examples: read with care, run as compiled in a real image, judged by all that they declare."""

from __future__ import annotations

import importlib.util
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import ConfigError
from eggcrate.matrix.cells import Cell, Outcome
from eggcrate.matrix.example_file import read_examples, upstream_components
from eggcrate.matrix.examples import examples_of, examples_version
from eggcrate.matrix.proofs import carry_out
from eggcrate.matrix.run import Bench
from eggcrate.matrix.snapshot import has_examples
from eggcrate.registry.layout import Layout
from eggcrate.repo.closure import closure
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.runtimes.docker import Docker
from eggcrate.runtimes.protocol import Ending, Result
from eggcrate.runtimes.sandbox import Sandbox
from support.compiled import Repo
from support.images import folder, put_image, symlink
from support.python_image import PYTHON, python_layer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.matrix.cells import Proof
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Runtime

needs_kfp = pytest.mark.skipif(
    not importlib.util.find_spec("kfp"), reason="kfp (the extra `pipelines`) is not installed"
)

MAKE = """
    from pathlib import Path

    from eggcrate import component
    from kfp.dsl import Dataset, Input, Output


    @component
    def make(source: Input[Dataset], table: Output[Dataset], times: int = 2) -> int:
        text = Path(source.path).read_text() * times
        Path(table.path).write_text(text)
        table.metadata["length"] = len(text)
        return len(text)
"""
USE = """
    import os
    from pathlib import Path

    from components.shared import helper
    from eggcrate import component
    from kfp.dsl import Dataset, Input, Metrics, Output


    @component
    def use(table: Input[Dataset], metrics: Output[Metrics], kind: str, way: str = "well") -> dict:
        told = {"kind": kind, "text": Path(table.path).read_text(), "told": table.metadata}
        if way == "badly":
            helper.fail("it went badly")
        if way == "locked":
            Path("/eggcrate/outputs").chmod(0)
            os._exit(0)
        if way == "silently":
            os._exit(0)
        if way != "untold":
            metrics.log_metric("length", len(told["text"]))
        try:
            Path("/opt/env/mark").write_text("")
        except OSError:
            told["root"] = "read-only"
        return told
"""
GOOD = """
    [inputs]
    table = { example = "make/once", output = "table" }
    kind = "{flavour}"

    [expect]
    Output = { kind = "{flavour}", text = "a,b\\n", told = { length = 4 }, root = "read-only" }
    metrics = { metadata = { length = 4 } }
"""
ONCE = """
    [inputs]
    source = "in.csv"
    times = 1

    [expect]
    Output = 4
    table = { same-as = "in.csv", metadata = { length = 4 } }
"""


def case(repo: Repo, component: str, name: str, text: str, **files: str) -> None:
    place = f"components/{component}/examples/{name}"
    repo.write({f"{place}/example.toml": text} | {f"{place}/{at}": it for at, it in files.items()})


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.make(tmp_path / "repo")
    repo.write(
        {
            "components/shared/__init__.py": "",
            "components/shared/helper.py": "def fail(text):\n    raise ValueError(text)\n",
        }
    )
    repo.component("make", {"component.py": MAKE})
    flavours = "[project.optional-dependencies]\none = []\ntwo = []\n"
    repo.component("use", {"component.py": USE})
    path = repo.root / "components/use/pyproject.toml"
    path.write_text(path.read_text().replace("[tool.eggcrate]\n", f"{flavours}[tool.eggcrate]\n"))
    case(repo, "make", "once", ONCE, **{"in.csv": "a,b\n"})
    case(repo, "use", "good", GOOD)
    return repo


def components(repo: Repo) -> Mapping[str, Component]:
    found = read_monorepo(repo.root)
    assert not found.broken
    return found.components


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str]:
    """An image that has a Python where ours have it."""
    layout = Layout(tmp_path_factory.mktemp("image") / "store")
    members = [
        *python_layer(),
        *(folder(name) for name in ("opt", "opt/env", "opt/env/bin")),
        symlink("opt/env/bin/python", PYTHON),
    ]
    return layout, put_image(layout, "python", [members]).digest


@pytest.fixture(
    params=[
        pytest.param("sandbox", marks=[pytest.mark.sandbox]),
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.xdist_group("docker")]),
    ]
)
def image(
    request: pytest.FixtureRequest,
    small: tuple[Layout, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Runtime, str]:
    """Each runtime, with the image in it."""
    layout, digest = small
    cache = tmp_path_factory.mktemp("cache")
    if request.param == "sandbox":
        return Sandbox(layout, cache), digest
    request.getfixturevalue("docker_daemon")
    return Docker(layout, cache), digest


EMPTY: dict[str, Any] = {
    "roots": {},
    "harness": {},
    "images": {},
    "unbuilt": {},
    "memory": 256 << 20,
    "seconds": 60,
}


def prove(repo: Repo, name: str, image: tuple[Runtime, str], flavour: str = "") -> list[Proof]:
    runtime, digest = image
    bench = Bench(runtime=runtime, **EMPTY | {"images": {"small": digest}})
    known = components(repo)
    cell = Cell(component=name, flavour=flavour, environment="small")
    scratch = repo.root / ".eggcrate"
    with examples_of([name], known, root=repo.root, scratch=scratch) as examples:
        programs = examples.programs(known[name], cell, bench)
        ready = runtime.prepare(digest)
        proofs = [carry_out(program, ready, runtime) for program in programs]
        again = [carry_out(program, ready, runtime) for program in programs]
    assert [proof.outcome for proof in again] == [proof.outcome for proof in proofs]
    assert list(scratch.iterdir()) == []
    return proofs


@needs_kfp
def test_an_example_runs_as_compiled_after_the_one_it_begins_with(
    repo: Repo, image: tuple[Runtime, str]
) -> None:
    """Artifacts and their metadata come from the other; the cell's flavour is known to both."""
    [proof] = prove(repo, "use", image, "two")
    assert (proof.name, proof.outcome, proof.reason) == ("example good", Outcome.PASSED, "")
    [proof] = prove(repo, "make", image)
    assert (proof.name, proof.outcome, proof.exit_code) == ("example once", Outcome.PASSED, 0)


@needs_kfp
def test_each_way_to_fail_has_its_reason(repo: Repo, image: tuple[Runtime, str]) -> None:
    """Not the exit code alone: executor output, declared outputs and expectations count too."""
    inputs = GOOD.partition("[expect]")[0]
    for way in ("badly", "silently", "untold", "locked"):
        case(repo, "use", way, f'{inputs}    way = "{way}"\n')
    case(repo, "use", "other", f"{inputs}\n    [expect]\n    Output = {{ kind = 'three' }}\n")
    case(repo, "use", "typo", inputs.replace("kind", "knid"))
    case(repo, "use", "nowhere", inputs.replace("make/once", "make/twice"))
    case(repo, "use", "unfit", 'flavours = ["one"]\n')
    found = {proof.name.partition(" ")[2]: proof for proof in prove(repo, "use", image, "two")}
    assert "unfit" not in found
    reasons = {name: proof.reason for name, proof in found.items()}
    # Who may read everything sees that there is nothing.
    assert reasons.pop("locked").startswith(("its executor_output.json cannot", "it wrote no exec"))
    assert reasons == {
        "good": "",
        "badly": "it ended with exit code 1: ValueError: it went badly",
        "silently": "it wrote no executor_output.json: KFP's executor did not come to its end",
        "untold": "it wrote nothing for its output metrics: /eggcrate/outputs/metrics "
        "does not exist",
        "other": 'Output.kind is "two", not "three"',
        "typo": "there is no input knid",
        "nowhere": "use/nowhere: there is no example make/twice",
    }
    assert '/components/shared/helper.py", line 2, in fail' in found["badly"].output
    assert "inputs: kind, way, table" in found["typo"].output


@needs_kfp
def test_what_cannot_be_compiled_or_read_is_a_proof_that_failed(
    repo: Repo, image: tuple[Runtime, str]
) -> None:
    """In words; an input that another component should have given names that one."""
    path = repo.root / "components/make/component.py"
    path.write_text(path.read_text().replace("* times", "* times * undefined"))
    [proof] = prove(repo, "use", image, "one")
    assert proof.outcome is Outcome.FAILED
    assert proof.reason.startswith("the example make/once, which it begins with, failed")
    assert "NameError: name 'undefined' is not defined" in proof.output
    path.write_text("def make() -> str:\n    return ''\n")
    [proof] = prove(repo, "make", image)
    assert proof.reason == "components/make/component.py has no component in it"
    case(repo, "make", "once", "[input]\n")
    [proof] = prove(repo, "make", image)
    assert "example.toml:1: input is not a setting Eggcrate knows" in proof.reason


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flavours = ['three']", "three is no flavour of use"),
        ("[inputs]\ntable = { example = 'make', output = 'x' }", "an input cannot come from"),
        ("[inputs]\ntable = { example = 'make/once' }", "an input cannot come from"),
        ("expects = 1", "did you mean 'expect'"),
        ("[expect]\nOutput = { kind = { matches = '(' } }", "is no regular expression"),
        ("[expect.Output]\nkind = { about = 'x' }", "which must be a number"),
        ("[expect]\nOutput = { within = 1 }", "toml:2: expect.Output has within"),
    ],
)
def test_an_example_that_is_not_valid_names_file_and_line(repo: Repo, text: str, says: str) -> None:
    """So does a case without an ``example.toml``; other files beside the cases are theirs."""
    case(repo, "use", "bad", text)
    with pytest.raises(ConfigError) as told:
        read_examples(components(repo)["use"], repo.root)
    assert says in str(told.value)
    assert "examples/bad/example.toml:" in str(told.value)
    (repo.root / "components/use/examples/bad/example.toml").unlink()
    (repo.root / "components/use/examples/data.csv").write_text("")
    with pytest.raises(ConfigError, match=r"example\.toml does not exist"):
        read_examples(components(repo)["use"], repo.root)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("good/example.toml", True),
        ("good/exmaple.toml", True),
        ("good/inner/example.toml", True),
        ("good/in.csv", True),
        ("example.toml", True),
        ("README.md", False),
        ("_shared/example.toml", False),
        (".cache/example.toml", False),
    ],
)
def test_a_misnamed_file_takes_no_proof_away(repo: Repo, path: str, counts: bool) -> None:
    """Whatever is in a case's folder makes it one, and reading it tells what it lacks."""
    repo.component("one", {"component.py": "", f"examples/{path}": ""})
    one = components(repo)["one"]
    assert has_examples(closure(one, repo.root)) is counts
    if counts and path != "good/example.toml":
        with pytest.raises(ConfigError, match=r"does not exist|not in a folder of its own"):
            read_examples(one, repo.root)


def test_a_cell_that_no_example_is_for_says_so(repo: Repo) -> None:
    """A program of that name stands among its proofs: the second proof is not gone in silence."""
    path = repo.root / "components/use/examples/good/example.toml"
    path.write_text("flavours = ['one']\n" + path.read_text())
    known = components(repo)
    bench = Bench(runtime=NotImplemented, **EMPTY)
    cell = Cell(component="use", flavour="two", environment="small")
    with examples_of(["use"], known, root=repo.root, scratch=repo.root / ".eggcrate") as examples:
        [program] = examples.programs(known["use"], cell, bench)
    assert program.name == "examples: none is for flavour two"
    assert program.judge(Result(ending=Ending.EXITED, exit_code=0))[0] is Outcome.PASSED


def test_upstream_components_are_known_without_running(repo: Repo) -> None:
    """What proves a component depends on their files; a circle is an error."""
    known = components(repo)
    assert upstream_components(known["use"], known, repo.root) == ("make",)
    assert upstream_components(known["make"], known, repo.root) == ()
    case(
        repo,
        "make",
        "circle",
        textwrap.dedent("""
            [inputs]
            source = { example = "use/back", output = "metrics" }
        """),
    )
    case(repo, "use", "back", '[inputs]\ntable = { example = "make/circle", output = "table" }\n')
    with pytest.raises(ConfigError, match="begins with itself"):
        upstream_components(known["use"], known, repo.root)
    with examples_of(["use"], known, root=repo.root, scratch=repo.root / ".eggcrate") as examples:
        bench = Bench(runtime=NotImplemented, **EMPTY)
        cell = Cell(component="use", flavour="one", environment="small")
        [program] = examples.programs(known["use"], cell, bench)
    assert "begins with itself" in program.command.argv[-1]


@needs_kfp
def test_what_runs_examples_has_an_identity() -> None:
    """The same twice; it is part of the key of a cell."""
    assert examples_version() == examples_version()
    assert len(examples_version()) == 64


SERVED = """
import contextlib, http.server, threading
import answers


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answers.ANSWER)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"SERVICE": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
"""
ASKS = """
    import os
    import urllib.request

    from eggcrate import component


    @component
    def ask(code: int = 0) -> str:
        if code < 0:
            os.kill(os.getpid(), -code)
        if code:
            os._exit(code)
        return urllib.request.urlopen(os.environ["SERVICE"]).read().decode()
"""


@needs_kfp
def test_a_server_runs_beside_an_example(repo: Repo, image: tuple[Runtime, str]) -> None:
    """The command finds it by a variable; its own ending, not the server's, is what counts."""
    repo.component("ask", {"component.py": ASKS})
    repo.write(
        {
            "components/ask/tests/served.py": SERVED,
            "components/ask/tests/answers.py": "ANSWER = b'well'\n",
        }
    )
    case(repo, "ask", "good", 'serve = "served.py"\n[expect]\nOutput = "well"\n')
    case(repo, "ask", "odd", 'serve = "served.py"\n[inputs]\ncode = 7\n')
    case(repo, "ask", "shot", 'serve = "served.py"\n[inputs]\ncode = -11\n')
    found = {proof.name.partition(" ")[2]: proof for proof in prove(repo, "ask", image)}
    assert (found["good"].outcome, found["good"].reason) == (Outcome.PASSED, "")
    assert found["odd"].exit_code == 7
    assert found["odd"].outcome is found["shot"].outcome is Outcome.FAILED


@pytest.mark.parametrize("name", ["none.py", "../component.py", "/etc/passwd"])
def test_a_server_is_a_file_among_the_tests(repo: Repo, name: str) -> None:
    """So that whoever changes it proves the component anew."""
    case(repo, "make", "once", f'serve = "{name}"\n')
    with pytest.raises(ConfigError, match="names no file in"):
        read_examples(components(repo)["make"], repo.root)
