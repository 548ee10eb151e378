"""What the components' tests need to run by plain pytest, outside the matrix."""

from __future__ import annotations

import os
import sys
from importlib import util
from pathlib import Path

import pytest

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

# A component is the function that it decorates, as where it runs; KFP's own switch.
os.environ.setdefault("_KFP_RUNTIME", "true")

# The data is small and cells run side by side: more threads than this wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def flavour() -> str:
    """The flavour to test: ``EGGCRATE_FLAVOUR``, else the first whose library is installed."""
    if (given := os.environ.get("EGGCRATE_FLAVOUR")) is not None:
        return given
    names = ("sklearn", "xgboost", "lightgbm", "catboost", "tensorflow", "torch")
    return next((name for name in names if util.find_spec(name)), "")
