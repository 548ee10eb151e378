"""A component to copy."""
