"""The schema of Terraform's Google provider, of the resources that `infra/` uses.

The provider itself is in no package index. The bindings of CDK for Terraform are, and are made
from its schema: a class for each resource and each block, whose arguments' types and documentation
say all that a check needs. `tests/data/infra/google.json` holds what was read from them, so that
the check needs no network; a test reads the wheel again. To write the file anew, for another
version or more resources:

    PYTHONPATH=ci:tests .venv/bin/python -m support.google_schema
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.files import sha256_file
from support.repository import HERE
from support.terraform import resources

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT, VERSION, PROVIDER = "cdktf-cdktf-provider-google", "16.12.1", "6.50.0"
SHA256 = "88d021c89e1cf2abf2c935716d6548d26fe3da4bed30713d4fa36df1ef137436"
SCHEMA = HERE / "tests" / "data" / "infra" / "google.json"
_NAMED = re.compile(r":param (\w+): (.*?)/docs/resources/\w+#(\w+) ")
_VALUES = re.compile(r"Possible values: \[([^\]]*)\]")
_BLOCK = re.compile(r"Union\['?(\w+)'?, typing\.Dict")
_TIMEOUTS = "timeouts"


def fetch_bindings(folder: Path) -> Path:
    """Download the wheel into a folder as pip is configured to; keep the one that is there."""
    wheel = folder / f"{PROJECT.replace('-', '_')}-{VERSION}-py3-none-any.whl"
    if not wheel.is_file() or sha256_file(wheel) != SHA256:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--only-binary=:all:", "--dest", scratch, f"{PROJECT}=={VERSION}"]
            subprocess.run(command, check=True, capture_output=True, text=True)
            [found] = Path(scratch).glob("*.whl")
            found.replace(wheel)
    if sha256_file(wheel) != SHA256:
        raise AssertionError(f"{wheel.name} is not the one that is pinned")
    return wheel


def read_bindings(wheel: Path, kinds: Iterable[str]) -> dict[str, Any]:
    """The schema of resources, by their type: attributes, blocks, and what others may refer to."""
    with zipfile.ZipFile(wheel) as archive:
        return {kind: _resource(archive, kind) for kind in sorted(set(kinds))}


def _resource(archive: zipfile.ZipFile, kind: str) -> dict[str, Any]:
    module = f"{PROJECT.replace('-', '_')}/{kind.removeprefix('google_')}/__init__.py"
    text = archive.read(module).decode()
    if f"/hashicorp/google/{PROVIDER}/" not in text:
        raise AssertionError(f"{module} is not of the provider {PROVIDER}")
    classes = {one.name: one for one in ast.parse(text).body if isinstance(one, ast.ClassDef)}
    [config] = [name for name in classes if name.endswith("Config") and _is_config(classes[name])]
    found = _block(config, classes)
    found["exports"] = sorted(
        one.name
        for one in classes[config.removesuffix("Config")].body
        if isinstance(one, ast.FunctionDef)
        and any("property" in ast.unparse(mark) for mark in one.decorator_list)
        and not one.name.endswith("_input")
    )
    return found


def _is_config(of: ast.ClassDef) -> bool:
    return any("TerraformMetaArguments" in ast.unparse(base) for base in of.bases)


def _block(name: str, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    [init] = [
        one
        for one in classes[name].body
        if isinstance(one, ast.FunctionDef) and one.name == "__init__"
    ]
    documented = {one[1]: one for one in _NAMED.finditer(ast.get_docstring(init) or "")}
    found: dict[str, Any] = {"attributes": {}, "blocks": {}}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if argument.arg not in documented or argument.annotation is None:
            continue  # Terraform's own: count, for_each, lifecycle, …
        told = documented[argument.arg]
        needed: dict[str, Any] = {"required": default is None}
        inner = _BLOCK.search(ast.unparse(argument.annotation))
        if inner:
            found["blocks"][told[3]] = {**needed, **_block(inner[1], classes)}
        else:
            if values := _VALUES.search(told[2]):
                needed["values"] = re.findall(r'"([^"]*)"', values[1])
            found["attributes"][told[3]] = needed
    found["blocks"].pop(_TIMEOUTS, None)
    return found


def _text(schema: dict[str, Any]) -> str:
    """One line a resource."""
    lines = [f"{json.dumps(kind)}: {json.dumps(schema[kind])}" for kind in sorted(schema)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Write the file."""
    kinds = {one.kind for one in resources(HERE / "infra")}
    with tempfile.TemporaryDirectory() as scratch:
        schema = read_bindings(fetch_bindings(Path(scratch)), kinds)
    SCHEMA.parent.mkdir(parents=True, exist_ok=True)
    SCHEMA.write_text(_text(schema))


if __name__ == "__main__":
    main()
