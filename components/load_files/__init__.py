"""Bring files into a pipeline."""
