"""Modules that several components import; they travel with a component at run time."""
