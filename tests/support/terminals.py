"""A terminal that can be read: what stands on its screen after all that was written."""

from __future__ import annotations

import io
import re

_STEP = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is one."""
        return True

    @property
    def screen(self) -> list[str]:
        """The lines as a person sees them; nothing has scrolled away."""
        lines, y, x = [""], 0, 0
        for found in _STEP.finditer(self.getvalue()):
            count, letter, back, down, text = found.groups()
            if text:
                lines[y] = lines[y][:x].ljust(x) + text + lines[y][x + len(text) :]
                x += len(text)
            elif down:
                y, x = y + 1, 0
                lines += [""] * (y + 1 - len(lines))
            elif back:
                x = 0
            elif letter == "F":
                y, x = max(0, y - int(count or 1)), 0
            elif letter == "J":
                lines = [*lines[:y], lines[y][:x]]
            elif letter == "K":
                lines[y] = ""
            else:
                assert letter == "m", f"unknown to this terminal: {found[0]!r}"
        return [line.rstrip() for line in lines]
