"""This repository with environments, components and a pipeline that are quick to make."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from support.planning import commit, git
from support.repository import HERE, Repository, real_packages, users_cache

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = ("tests/support", "tests/repo/test_merge.py", "tests/conftest.py", "tests/test_files.py")
_COMPONENT = '''"""Say a word."""

from components.shared.words import WORD
from eggcrate import component


@component
def {name}() -> str:
    """Say it."""
    import {module}

    return f"{{WORD}} {{{module}.__name__}}"
'''
_TEST = """from components.{name}.component import {name}


def test_it() -> None:
    assert {name}() == "word {module}"
"""
_PIPELINE = '''"""Say both."""

from components.first.component import first
from components.second.component import second
from kfp import dsl


@dsl.pipeline
def both() -> None:
    """Say them."""
    first()
    second(environment="two")
'''


def small_checkout(root: Path) -> Path:
    """This repository with two small environments, two components and a pipeline, in git."""
    for name in ("Makefile", "cloudbuild.yaml", "pyproject.toml", "poetry.lock", ".gitignore"):
        _copy(name, root)
    for name in ("ci", "scripts", "bases", *_KEPT):
        _copy(name, root)
    (root / "environments").mkdir()
    repository = Repository(root=root, cache=users_cache())
    repository.environment("one", real_packages("gcp-data", "idna"))
    repository.environment("two", real_packages("gcp-data", "idna", "six"))
    files = {
        "components/__init__.py": "",
        "components/shared/__init__.py": "",
        "components/shared/words.py": 'WORD = "word"\n',
        "pipelines/both/pipeline.py": _PIPELINE,
    }
    for name, module in (("first", "idna"), ("second", "six")):
        environment = "one" if name == "first" else "two"
        files |= {
            f"components/{name}/__init__.py": "",
            f"components/{name}/component.py": _COMPONENT.format(name=name, module=module),
            f"components/{name}/tests/__init__.py": "",
            f"components/{name}/tests/test_{name}.py": _TEST.format(name=name, module=module),
            f"components/{name}/pyproject.toml": f'[project]\nname = "{name}"\n'
            f'requires-python = ">=3.11"\ndependencies = ["{module}"]\n'
            f'[tool.eggcrate]\nenvironment = "{environment}"\n',
        }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git(root, "init", "-q", "-b", "main")
    commit(root, "everything")
    (root / "components/shared/words.py").write_text('"""Words."""\n\nWORD = "word"\n')
    commit(root, "a helper that says what it is")
    return root


def _copy(name: str, root: Path) -> None:
    source, target = HERE / name, root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
