"""Tell people how a pipeline ended."""
