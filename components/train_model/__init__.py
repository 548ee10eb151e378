"""Train a model on a table with any supported library."""
