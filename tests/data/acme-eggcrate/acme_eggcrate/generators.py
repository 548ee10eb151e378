"""What ``eggcrate new acme-environment NAME [PACKAGE …]`` makes."""

import json


def environment(name, root, words):
    """An environment of Acme's on the repository's newest base; the words are packages."""
    base = max(path.name for path in (root / "bases").glob("python-3.??"))
    minor = int(base.rpartition(".")[2])
    text = (
        f'[project]\nname = "{name}"\ndescription = "Made for Acme"\n'
        f'requires-python = ">=3.{minor},<3.{minor + 1}"\n'
        f"dependencies = {json.dumps(list(words))}\n\n"
        f'[tool.poetry]\npackage-mode = false\n\n[tool.eggcrate]\nbase = "{base}"\nowner = "acme"\n'
    )
    return {f"environments/{name}/pyproject.toml": text}
