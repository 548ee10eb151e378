"""Fixtures of the registry room's tests."""

from support.services import registry_server

__all__ = ["registry_server"]
