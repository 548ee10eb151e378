"""The files of a component in generated repositories, judged by Python itself."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
import tempfile
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eggcrate.errors import SourceError
from eggcrate.repo.closure import closure
from eggcrate.repo.values import Component


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def step(root: Path) -> Component:
    return Component(
        name="step",
        path=root / "components" / "step",
        description="",
        requires_python=">=3.11",
        dependencies=(),
    )


PACKAGES = ("components.step", "components.shared", "components.shared.sub", "lib")
MODULES = tuple(f"{package}.m{n}" for package in PACKAGES for n in (0, 1))


@st.composite
def statements(draw: st.DrawFn, *, by: str, dynamic: bool) -> str:
    target = draw(st.sampled_from([*MODULES, *PACKAGES]))
    package, _, name = target.rpartition(".")
    forms = [f"import {target}", f"import {target} as x", f"from {target} import NAME"]
    if package:
        forms.append(f"from {package} import {name}, NAME")
    own = by.split(".") if by in PACKAGES else by.split(".")[:-1]
    aim = target.split(".")
    shared = len(
        list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(own, aim, strict=False)))
    )
    if 0 < shared < len(aim):
        dots = "." * (len(own) - shared + 1)
        *inner, last = aim[shared:]
        forms.append(f"from {dots}{'.'.join(inner)} import {last}")
    if dynamic:
        forms += [
            f"import importlib; importlib.import_module({target!r})",
            f"__import__({target!r})",
            f"from {target} import *",
            f"import {target}; print({target}.NAME)",
        ]
    text = draw(st.sampled_from(forms))
    wrapped = [text, f"def f():\n    {text}" if "*" not in text else text]
    if dynamic:
        wrapped += [f"try:\n    {text}\nexcept ImportError:\n    pass"]
        wrapped += [f"def f():\n    {text}\nf()"] if "*" not in text else []
    return draw(st.sampled_from(wrapped))


@st.composite
def repositories(draw: st.DrawFn, *, dynamic: bool) -> dict[str, str]:
    files = {}
    for module in (*MODULES, *PACKAGES, "components", "components.step.component"):
        lines = draw(st.lists(statements(by=module, dynamic=dynamic), max_size=3))
        path = module.replace(".", "/")
        name = f"{path}/__init__.py" if module in (*PACKAGES, "components") else f"{path}.py"
        files[name] = "\n".join(["NAME = 1", *lines, ""])
        if dynamic and module in PACKAGES and draw(st.booleans()):
            if draw(st.booleans()):
                files[name] = "__all__ = ['NAME', 'm1']\n" + files[name]
            else:
                del files[name]
    return files


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(repositories(dynamic=True))
def test_all_that_python_imports_is_in_the_closure(files: dict[str, str]) -> None:
    """Modules of the repository that a real interpreter has loaded are all found."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write(root, dict(files))
        program = f"""
import sys
sys.path.insert(0, {str(root)!r})
sys.dont_write_bytecode = True
try:
    import components.step.component
except (ImportError, AttributeError, RecursionError):
    pass
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None) or ""
    if path.startswith({str(root)!r}):
        print("loaded", path[len({str(root)!r}) + 1 :])
"""
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
        )
        told = [line for line in done.stdout.splitlines() if line.startswith("loaded ")]
        loaded = {line.removeprefix("loaded ") for line in told}
        assert "components/step/component.py" in loaded or "Error" not in done.stderr
        assert loaded <= set(closure(step(root), root).modules)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(repositories(dynamic=False))
def test_nothing_else_is_in_the_closure(files: dict[str, str]) -> None:
    """For plain import statements it is exactly what the standard library's finder finds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write(root, dict(files))
        finder = ModuleFinder(path=[str(root)])
        own = [path for path in files if path.startswith("components/step/")]
        for path in own:
            module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            finder.import_hook(module)
        expected = {
            Path(module.__file__).relative_to(root).as_posix()
            for module in finder.modules.values()
            if module.__file__
        }
        assert set(closure(step(root), root).modules) == expected


@given(st.lists(st.sampled_from(["a", "b.c", "components.shared.x", "..", "'", "\n", "(", "é"])))
def test_any_text_is_parsed_or_refused(parts: list[str]) -> None:
    """Whatever stands in a file, the answer is a closure or an error of ours."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = "import components.shared as s\n" + "".join(parts)
        try:
            ast.parse(source)
            good = True
        except SyntaxError:
            good = False
        write(root, {"components/step/component.py": source})
        if good:
            assert closure(step(root), root).modules == ("components/step/component.py",)
        else:
            with pytest.raises(SourceError):
                closure(step(root), root)
