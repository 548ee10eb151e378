"""Give a model a version."""
