"""Bad input made of good: bytes flipped, cut and doubled, and values of JSON replaced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

_TOKENS = (
    *(b"", b"\0", b"\xff", b"\n", b"../", b"/", b"{", b"[", b'"', b"null", b"-1", b"1e999"),
    *(b"[" * 5000, b"9" * 5000, b"\xef\xbb\xbf", b"%s", b"sha256:", b"\\u0000", b"a.b = 1\n"),
    *(
        b"[x]\n",
        b"[[package]]\n",
        b'""',
        b"=",
        b"NaN",
        b"<a href='",
        b": ",
        b"\r\n",
        b"\xed\xa0\x80",
    ),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1 << 70, 1.5, float("nan"), "", "x", "../x", "\0", "\ud800", "0" * 5000),
    *([], {}, [[]], [None], {"": None}, [{}], "sha256:" + "0" * 64, [1, "2"], {"a": {"b": []}}),
)


def _changed(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 1, 2, 8, 64, 1000)))
        kind = random.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            del data[at:end]
        elif kind == 2:
            data[at:at] = data[at:end]
        elif kind == 3:
            del data[at:]
        else:
            data[at : end if kind == 4 else at] = random.choice(_TOKENS)
    return bytes(data)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a JSON value with every key in it."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += _places(inner)
    return found


def _replaced(content: bytes, random: Random) -> bytes:
    """The same JSON with a few values replaced, removed, or nested; bytes where it is none."""
    try:
        document = json.loads(content)
        places = _places(document)
    except (ValueError, TypeError):
        return _changed(content, random)
    for _ in range(random.randint(1, 3)):
        holder, key = random.choice(places) if places else (None, None)
        if holder is None:
            return json.dumps(random.choice(_VALUES)).encode()
        try:
            if random.randrange(4) == 0:
                del holder[key]
            elif isinstance(holder[key], str) and random.randrange(2):
                holder[key] = _changed(holder[key].encode("utf-8", "replace"), random).decode(
                    "utf-8", "replace"
                )
            else:
                holder[key] = random.choice(_VALUES)
        except (KeyError, IndexError):
            continue
    return json.dumps(document).encode()


@st.composite
def broken(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Good input, made bad."""
    random = draw(st.randoms(use_true_random=False))
    content = random.choice(seeds)
    if random.randrange(20) == 0:
        return draw(st.binary(max_size=200))
    return (_replaced if random.randrange(2) else _changed)(content, random)
