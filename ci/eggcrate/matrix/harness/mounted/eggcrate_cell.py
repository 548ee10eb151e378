"""The pytest plugin that tells tests which cell they run in."""

import os

import pytest


@pytest.fixture(scope="session")
def flavour() -> str:
    """The flavour of the component that this cell proves; empty when it has none."""
    return os.environ.get("EGGCRATE_FLAVOUR", "")
