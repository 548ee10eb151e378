"""Compiles Python sources, inside a base's own interpreter; nothing of ours is importable there.

Reads ``(path, source)`` pairs from standard input and answers each with a ``.pyc`` (PEP 552,
unchecked hash), or nothing for what does not compile. Every field is its length in eight
bytes, then its bytes. The first answer says which Python this is.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # The script's own folder: its modules must not stand in for the standard library's.
    del sys.path[0]

import gc
import importlib.util
import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import IO, Any

_UNCHECKED_HASH = (1).to_bytes(4, "little")
# One-character strings are the process's own, and marshal tells whether one was interned.
_CHARACTERS = tuple(sys.intern(chr(number)) for number in range(256))


def held(code: CodeType, found: list[Any]) -> list[Any]:
    """Collect every constant and name of a code object.

    ``marshal`` marks an object for later reference when something else holds it, too, be it
    another part of the process (python/cpython#129724). With all of them held here, the marks
    depend on the code alone.
    """
    found += (code.co_filename, code.co_name, getattr(code, "co_qualname", None))
    found += (code.co_linetable, getattr(code, "co_exceptiontable", None), code.co_names)
    for names in (code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars):
        found += names
    _constants(code.co_consts, found)
    return found


def _constants(value: Any, found: list[Any]) -> None:
    found.append(value)
    for item in value:
        if isinstance(item, (tuple, frozenset)):
            _constants(item, found)
        elif hasattr(item, "co_consts"):
            held(item, found)
        else:
            found.append(item)


def compiled(path: str, source: bytes) -> bytes | None:
    """The content of the ``.pyc`` of a source, or ``None`` when it does not compile."""
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        keep = held(code, [path])
        if any(isinstance(item, frozenset) for item in keep):
            # Equal sets are one object or two, depending on which of their strings the process
            # had interned before. The second time, with the first one held, all of them are.
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
            keep = held(code, keep)
    # MemoryError is what the parser says of code that is nested too deeply.
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source)
    content = head + marshal.dumps(code)
    del keep
    return content


def _read(stream: IO[bytes]) -> bytes | None:
    length = stream.read(8)
    return stream.read(int.from_bytes(length, "little")) if length else None


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(8, "little"))
    stream.write(content)


def main() -> None:
    """Answer until standard input ends."""
    gc.disable()  # a tenth of the time; nothing here lives long
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    _write(answers, f"{sys.version.split()[0]} {sys.implementation.cache_tag}".encode())
    while (path := _read(source)) is not None:
        content = _read(source) or b""
        _write(answers, compiled(path.decode("utf-8", "surrogateescape"), content) or b"")


if __name__ == "__main__":
    main()
