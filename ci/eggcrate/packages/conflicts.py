"""A resolver's explanation, shortened to the sentences that matter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ADVICE = re.compile(
    r"\n\s*\n?\s*(?:\* Check your dependencies Python requirement|For \S+, a possible)"
)
_ENVIRONMENT = re.compile(r"\b([\w.-]+?)-environment(?: \(0\))?(?![\w-])")
_SENTENCE = re.compile(
    r"(?:\(\d+\) )?(?:Because|And because|So,|Thus,|And,|The current|Incompatible)"
)
_MOST = 5


def shortened(words: str, packages: Iterable[str]) -> str:
    """The sentences of an explanation that name one of the packages, and its conclusion.

    Args:
        words: the resolver's, one sentence in one or more lines.
        packages: names of those that were asked for.
    """
    told = _ENVIRONMENT.sub(r"\1", _ADVICE.split(words)[0]).strip()
    sentences = _sentences(told.splitlines())
    if len(sentences) > _MOST:
        patterns = [
            re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE) for name in packages
        ]
        *others, last = sentences
        naming = [one for one in others if any(pattern.search(one) for pattern in patterns)]
        sentences = [*(naming or others)[-(_MOST - 1) :], last]
        if len(naming) < len(others) or len(naming) >= _MOST:
            sentences.insert(0, "(…)")
    return "\n".join(sentences)


def _sentences(lines: Sequence[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        text = line.strip()
        if not text:
            continue
        if _SENTENCE.match(text) or not found:
            found.append(text)
        else:
            found[-1] += f" {text}"
    return found
