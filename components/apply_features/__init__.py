"""Apply a model to new data."""
