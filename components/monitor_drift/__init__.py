"""Tell whether data has moved away from what a model was trained on."""
