"""Sizes that are kept with the repository, so that its catalogue is told without any index.

``docs/catalogue-sizes.json``: for each environment what its packages take, and the hash of the
files that were measured. A lock tells the files and not how large they are; where the hash is
another than the lock's, the environment must be measured again, and no other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.recipe import canonical
from eggcrate.errors import ConfigError
from eggcrate.packages.difference import total
from eggcrate.packages.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.packages.distribution import Distribution

FILE = "docs/catalogue-sizes.json"
_SCHEMA = "eggcrate.sizes/1"
_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of an environment."""

    files: str
    """Hash of the files that it was measured by."""
    size: Size | None
    """Of all of them; ``None`` when one could not be had."""


def files_hash(distributions: Iterable[Distribution]) -> str:
    """Identity of the files of an environment, enough of it to tell two apart."""
    content = canonical(sorted(item.sha256 for item in distributions))
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def read_measured(root: Path) -> dict[str, Measured]:
    """What the repository keeps; nothing when it keeps none.

    Raises:
        ConfigError: the file is damaged.
    """
    path = root / FILE
    try:
        document = json.loads(path.read_bytes())
        return {
            str(name): Measured(files=str(told["files"]), size=_size(told["size"]))
            for name, told in document["environments"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} cannot be read",
            why=f"{type(error).__name__}: {error}",
            hint="after a merge, take either side of it and run: eggcrate report --catalogue",
        ) from error


def _size(told: Sequence[int] | None) -> Size | None:
    return None if told is None else Size(download=int(told[0]), unpacked=int(told[1]))


def fitting(known: Mapping[str, Measured], one: Resolved) -> Measured | None:
    """What is kept of an environment, when it is of its lock as it is now."""
    measured = known.get(one.environment.name)
    return measured if measured and measured.files == files_hash(one.recipe.distributions) else None


def measure(
    resolved: Iterable[Resolved],
    known: Mapping[str, Measured],
    sizes: Callable[[Iterable[Distribution]], Mapping[Distribution, Size | None]],
) -> dict[str, Measured]:
    """What is to be kept: measured anew where the lock is another, or a size was not to be had.

    Args:
        resolved: every environment, once.
        known: what is kept.
        sizes: gives the size of files; called once, for what must be measured.
    """
    found: dict[str, Measured] = {}
    todo: list[Resolved] = []
    for one in resolved:
        kept = fitting(known, one)
        if kept and kept.size is not None:
            found[one.environment.name] = kept
        else:
            todo.append(one)
    told = sizes([file for one in todo for file in one.recipe.distributions]) if todo else {}
    for one in todo:
        files = one.recipe.distributions
        found[one.environment.name] = Measured(
            files=files_hash(files), size=total(told.get(file) for file in files)
        )
    return dict(sorted(found.items()))


def document(measured: Mapping[str, Measured]) -> str:
    """The file, a line for each environment: two branches that add one each merge by themselves."""
    lines = [
        f"    {json.dumps(name)}: "
        + json.dumps(
            {
                "files": one.files,
                "size": [one.size.download, one.size.unpacked] if one.size else None,
            }
        )
        for name, one in sorted(measured.items())
    ]
    body = ",\n".join(lines)
    return f'{{\n  "schema": "{_SCHEMA}",\n  "environments": {{\n{body}\n  }}\n}}\n'
