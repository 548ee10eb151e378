"""Whatever comes from outside, only our own errors come out of the parsers.

``make fuzz ARGS=600`` hunts for ten minutes; each finding is kept in ``corpus/<parser>/``, and
tried again in every run from then on.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzz.mutations import broken
from fuzz.targets import TargetOfFuzz, check, targets

CORPUS = Path(__file__).parent / "corpus"
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""How long to hunt in all; 0: a few examples for each parser."""
_EXAMPLES = 40
_ROUND = 300
TARGETS = targets()
KEPT = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_good_input_is_read(target: TargetOfFuzz, tmp_path: Path) -> None:
    """The examples that are made bad are good: else only the first check would be tried."""
    for number, seed in enumerate(target.seeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        if (target.name, number) != ("image-layout", 1):  # a manifest is no index
            target.parse(seed, folder)


@pytest.mark.timeout(max(600, SECONDS * 2))
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_bad_input_is_an_error_of_ours(target: TargetOfFuzz) -> None:
    """Never one of Python's, never a hang."""
    if not SECONDS:
        _hunt(target, seed=0, examples=_EXAMPLES)
        return
    end = time.monotonic() + SECONDS / len(TARGETS)
    while time.monotonic() < end:
        _hunt(target, seed=secrets.randbelow(1 << 30), examples=_ROUND)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name[:8]}")
def test_what_was_found_once_is_not_found_again(path: Path) -> None:
    """Every finding of a hunt stays mended."""
    [target] = [target for target in TARGETS if target.name == path.parent.name]
    check(target, path.read_bytes())


def _hunt(target: TargetOfFuzz, *, seed: int, examples: int) -> None:
    failing: list[bytes] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if SECONDS else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(broken(target.seeds))
    def one(content: bytes) -> None:
        try:
            check(target, content)
        except BaseException:
            failing.append(content)
            raise

    try:
        one()
    except BaseException:
        if SECONDS and failing:
            smallest = min(failing, key=len)
            path = CORPUS / target.name / hashlib.sha256(smallest).hexdigest()[:16]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(smallest)
        raise
