"""From a recipe to an image: units, layers, manifest. Deterministic from end to end."""
