"""Judge a model on data it has not seen."""
