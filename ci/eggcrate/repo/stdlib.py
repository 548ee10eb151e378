"""The standard library of a Python version, which need not be the one that Eggcrate runs on."""

from __future__ import annotations

import sys

# https://docs.python.org/3/whatsnew/ and PEP 594: minor version that a module came with, and
# the first that no longer has it.
_CAME = {
    **dict.fromkeys(("graphlib", "zoneinfo"), 9),
    "tomllib": 11,
    **dict.fromkeys(("annotationlib", "compression"), 14),
    "profiling": 15,
}
_LEFT = {
    **dict.fromkeys(("formatter", "parser", "symbol", "macpath"), 10),
    **dict.fromkeys(("binhex",), 11),
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), 12),
    **dict.fromkeys(
        (
            *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3"),
            *("mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr"),
            *("spwd", "sunau", "telnetlib", "uu", "xdrlib"),
        ),
        13,
    ),
}
_ALWAYS = frozenset(sys.stdlib_module_names | {"__main__"}) - _CAME.keys() - _LEFT.keys()


def always_standard(module: str) -> bool:
    """Whether a dotted name is in the standard library of every Python."""
    return module.partition(".")[0] in _ALWAYS


def is_standard(module: str, python: str) -> bool:
    """Whether a dotted name is in the standard library of a Python version.

    Args:
        module: such as ``tomllib`` or ``os.path``.
        python: such as ``3.11`` or ``3.11.2``.
    """
    top = module.partition(".")[0]
    minor = int(python.split(".")[1])
    if top in _CAME or top in _LEFT:
        return _CAME.get(top, 0) <= minor < _LEFT.get(top, sys.maxsize)
    return top in _ALWAYS
