"""Bring an artifact out of a pipeline."""
