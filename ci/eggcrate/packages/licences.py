"""Under which licences locked files are, as their metadata says, and what a rule says to it.

``License-Expression`` (PEP 639, SPDX) counts first; then the classifiers, of which several are
alternatives; then a ``License`` field of one line.
"""

from __future__ import annotations

import email.parser
import fnmatch
import re
import tarfile
import zipfile
from typing import TYPE_CHECKING

from eggcrate.packages.learned import Subject, learn
from eggcrate.packages.wheels import LARGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.pip_config import PipConfig

UNTOLD = ""
"""The metadata names no licence."""
_LONGEST_FIELD = 60
_CLASSIFIER = "License :: "
_SPDX = {
    "Academic Free License (AFL)": "AFL-3.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License (GPL)": "GPL-1.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-2.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
}
"""The last part of a classifier to SPDX, where it means one licence or one of a kind."""
_SPELLINGS = {
    "Apache-2.0": ("apache2", "apache20", "apachelicense20", "apachelicenseversion20"),
    "BSD-2-Clause": ("bsd2clause", "2clausebsd", "2clausebsdlicense"),
    "BSD-3-Clause": ("bsd", "bsd3", "bsd3clause", "3clausebsd", "3clausebsdlicense", "newbsd"),
    "ISC": ("isclicense",),
    "MIT": ("themitlicense", "mitlicensed"),
    "MPL-2.0": ("mpl20", "mozillapubliclicense20"),
    "PSF-2.0": ("psf", "psfl", "pythonsoftwarefoundationlicense"),
}
"""How the ``License`` field was written before it was SPDX, letters and digits only."""
_TOKEN = re.compile(r"\(|\)|[^\s()]+")


def licences(
    distributions: Iterable[Distribution],
    *,
    cache: Path,
    config: Callable[[], PipConfig] | None = None,
) -> dict[Distribution, str | None]:
    """The licence of each file as an SPDX expression, or in the words of its metadata.

    Args:
        distributions: of one or more environments.
        cache: the user's.
        config: gives pip's configuration when an index must be asked; without it none is.

    Returns:
        :data:`UNTOLD` where the metadata names none; ``None`` where it cannot be had.
    """
    return learn(_LICENCES, distributions, cache=cache, config=config)


def licence_of(metadata: str) -> str:
    """The licence that a file's core metadata names."""
    headers = email.parser.HeaderParser().parsestr(metadata)
    if expression := str(headers.get("License-Expression", "")).strip():
        return expression
    told = [
        text.removeprefix(_CLASSIFIER).rpartition(" :: ")[2]
        for text in headers.get_all("Classifier", [])
        if text.startswith(_CLASSIFIER) and text != f"{_CLASSIFIER}OSI Approved"
    ]
    if told:
        return " OR ".join(dict.fromkeys(_SPDX.get(one, _one_word(one)) for one in told))
    field = str(headers.get("License", "")).strip()
    if field and "\n" not in field and len(field) <= _LONGEST_FIELD and field != "UNKNOWN":
        return _of_field(field)
    return UNTOLD


def matches(licence: str, patterns: Sequence[str]) -> bool:
    """Whether one may take a file under licences that patterns such as ``BSD-*`` name.

    Of ``A OR B`` one is enough, of ``A AND B`` both must be named.
    """
    return _any(_TOKEN.findall(licence), patterns)


def is_denied(licence: str, patterns: Sequence[str]) -> bool:
    """Whether there is no way to take a file but under a licence that the patterns name."""
    return not _any(_TOKEN.findall(licence), patterns, wanted=False)


def _any(tokens: list[str], patterns: Sequence[str], *, wanted: bool = True) -> bool:
    """Whether an expression can be met with licences that are named, or that are not."""
    return any(
        all(_term(term, patterns, wanted=wanted) for term in _split(option, "AND"))
        for option in _split(tokens, "OR")
    )


def _term(tokens: list[str], patterns: Sequence[str], *, wanted: bool) -> bool:
    if tokens[:1] == ["("] and tokens[-1:] == [")"]:
        return _any(tokens[1:-1], patterns, wanted=wanted)
    name = tokens[0] if tokens else ""  # WITH an exception, it is the same licence
    named = any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
    return named is wanted


def _split(tokens: list[str], operator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    depth = 0
    for word in tokens:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.upper() == operator:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _is_expression(text: str) -> bool:
    words = _TOKEN.findall(text)
    return all(
        word.upper() in {"AND", "OR", "WITH"} or word in "()"
        for number, word in enumerate(words)
        if number % 2
    )


def _of_field(text: str) -> str:
    if text in _SPDX:
        return _SPDX[text]
    letters = re.sub(r"[^a-z0-9]", "", text.lower())
    for identifier, spellings in _SPELLINGS.items():
        if letters in spellings:
            return identifier
    return text if _is_expression(text) else _one_word(text)


def _one_word(text: str) -> str:
    return "-".join(re.findall(r"[\w.+]+", text))


def _of_wheel(archive: zipfile.ZipFile) -> str:
    name = min(
        name
        for name in archive.namelist()
        if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
    )
    return licence_of(_small(archive, name))


def _small(archive: zipfile.ZipFile, name: str) -> str:
    """A text of an archive; one that is too large for a text cannot be read."""
    if archive.getinfo(name).file_size > LARGEST_TEXT:
        raise zipfile.BadZipFile(f"{name} is larger than any such file")
    return archive.read(name).decode("utf-8", "replace")


def _of_sdist(_: Distribution, path: Path) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as zipped:
            name = min(name for name in zipped.namelist() if name.endswith("/PKG-INFO"))
            return licence_of(_small(zipped, name))
    with tarfile.open(path) as archive:
        member = min(
            (item for item in archive if item.name.endswith("/PKG-INFO") and item.isfile()),
            key=lambda item: item.name.count("/"),
        )
        file = archive.extractfile(member)
        return licence_of(file.read(LARGEST_TEXT).decode("utf-8", "replace") if file else "")


_LICENCES = Subject(
    name="licences",
    version=2,
    of_wheel=_of_wheel,
    of_sdist=_of_sdist,
    encode=str,
    decode=str,
)
