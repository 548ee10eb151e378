"""The pytest plugin that tells tests which cell they run in."""

import os
from collections.abc import Generator

import pytest


@pytest.fixture(scope="session")
def flavour() -> str:
    """The flavour of the component that this cell proves; empty when it has none."""
    return os.environ.get("EGGCRATE_FLAVOUR", "")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary() -> Generator[None, None, None]:
    """Tell reasons in full in the summary, as pytest does where it sees a CI system."""
    os.environ["BUILD_NUMBER"] = "0"  # all tests have run: they do not see it
    try:
        yield
    finally:
        del os.environ["BUILD_NUMBER"]
