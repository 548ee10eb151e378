"""What imports at home imports identically where it runs, whatever the repository looks like."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eggcrate.pipelines.bundle import import_of, make_bundle
from eggcrate.pipelines.executor import runtime_files
from eggcrate.repo.closure import closure
from eggcrate.repo.monorepo import read_monorepo
from support.compiled import Repo

PLACES = ("a", "b", "p.a", "p.b", "p.q.a", "p.q.b", "r.a")
"""Dotted names of modules below ``components.shared``."""
TELL = """
import sys
from pathlib import Path


def tell():
    top = Path(sys.modules["components"].__file__).parent.parent
    return {
        name: [
            str(Path(module.__file__).relative_to(top)),
            getattr(module, "__package__", None),
            getattr(module, "TEXT", None),
            sorted(each for each in vars(module) if not each.startswith("__")),
        ]
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] == "components"
    }
"""
COMPONENT = """
{imports}
from eggcrate import component

from .tell import tell


@component
def it(x: int = 1) -> dict:
    {deferred}
    return tell()
"""
LOCALLY = "import json; from components.it.component import it; print(json.dumps(it()))"


@st.composite
def an_import(draw: st.DrawFn, of: str) -> str:
    """A statement that imports one module in another, absolutely or relatively."""
    other = draw(st.sampled_from(PLACES))
    above, _, name = other.rpartition(".")
    package = f"components.shared.{above}".rstrip(".")
    ways = [f"import components.shared.{other}", f"from {package} import {name}"]
    if of.startswith("components.shared."):
        here = of.split(".")[2:-1]
        dots = "." * (len(here) + 1)
        ways += [f"from {dots}{above} import {name}", f"from {dots}{other} import NAME as other"]
    # A name taken out of a module in a circle may not be there yet: at home neither.
    chosen = draw(st.sampled_from(ways))
    return (
        f"try:\n    {chosen}\nexcept ImportError:\n    FAILED = {chosen!r}"
        if (draw(st.booleans()) or "NAME" in chosen)
        else chosen
    )


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, str]:
    """Files of a component and of modules: nested, relative, in circles, with data."""
    files = {"components/it/tell.py": TELL, "components/shared/__init__.py": ""}
    for place in PLACES:
        path = f"components/shared/{place.replace('.', '/')}"
        for folder in Path(path).parents:
            # With and without ``__init__.py``: both are packages.
            if str(folder).startswith("components/shared/") and draw(st.booleans()):
                files.setdefault(f"{folder}/__init__.py", "INIT = 1\n")
        imports = draw(st.lists(an_import(f"components.shared.{place}"), max_size=2))
        text = "\n".join(["NAME = __name__", *imports]) + "\n"
        if draw(st.booleans()):
            files[f"{path}.txt"] = f"text of {place}\n"
            text += "from pathlib import Path\n"
            text += (
                f"TEXT = Path(__file__).with_name('{path.rpartition('/')[2]}.txt').read_text()\n"
            )
        files[f"{path}.py"] = text
    imports = draw(st.lists(an_import("components.it.component"), max_size=3))
    deferred = draw(st.sampled_from(PLACES))
    files["components/it/component.py"] = COMPONENT.format(
        imports="\n".join(imports), deferred=f"import components.shared.{deferred}"
    )
    return files


def ended(argv: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "_KFP_RUNTIME": "true", **env},
    )
    last = "".join(done.stderr.strip().splitlines()[-1:])
    return done.returncode, done.stdout, re.sub(r"/\S*/(?=components/)", "", last)


def at_home(repo: Repo, folder: Path) -> Any:
    for name, content in runtime_files():
        path = folder / "beside" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    path = os.pathsep.join([str(repo.root), str(folder / "beside")])
    code, out, last = ended([sys.executable, "-S", "-c", LOCALLY], folder, {"PYTHONPATH": path})
    return json.loads(out) if code == 0 else last


def where_it_runs(repo: Repo, folder: Path) -> Any:
    component = read_monorepo(repo.root).components["it"]
    found = closure(component, repo.root)
    files = {path: (repo.root / path).read_bytes() for path in (*found.modules, *found.data)}
    bundle = make_bundle(files, task=import_of("components.it.component", "it"))
    output = folder / "executor_output.json"
    told = json.dumps({"inputs": {}, "outputs": {"outputFile": str(output)}})
    argv = [sys.executable, "-S", *bundle.command[1:], "--executor_input", told]
    code, _, last = ended([*argv, "--function_to_execute", "it"], folder, {})
    return json.loads(output.read_text())["parameterValues"]["Output"] if code == 0 else last


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files=repositories())
def test_what_imports_at_home_imports_identically(files: dict[str, str]) -> None:
    """The same modules from the same files with the same names in them, or the same error."""
    with tempfile.TemporaryDirectory() as folder:
        repo = Repo.make(Path(folder, "repo"))
        repo.write(files)
        repo.component("it", {}, 'data = ["*.txt"]\n')
        assert where_it_runs(repo, Path(folder)) == at_home(repo, Path(folder))
