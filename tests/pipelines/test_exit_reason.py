"""Why a task says that it failed."""

from __future__ import annotations

import pytest

from eggcrate.pipelines.run import exit_reason
from eggcrate.runtimes.protocol import Ending, Result

ERROR = "Traceback (most recent call last):\n  File x\nacme.errors.DataError: no rows\n"
TOLD = '{\n  "inputs": {}\n}\n'


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (TOLD + ERROR, "acme.errors.DataError: no rows"),
        (ERROR + TOLD, "acme.errors.DataError: no rows"),  # two streams, in another order
        (ERROR + "KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("one\n  two \n\n", "two"),
        ("", "it wrote nothing"),
    ],
)
def test_the_error_is_told_whatever_came_last(output: str, said: str) -> None:
    """Its two outputs arrive in any order; without an error the last line is told."""
    result = Result(ending=Ending.EXITED, exit_code=1, output=output)
    assert exit_reason(result) == f"it ended with exit code 1: {said}"
