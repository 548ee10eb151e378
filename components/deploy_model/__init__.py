"""Serve a version of a model at an endpoint."""
