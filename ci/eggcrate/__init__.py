"""Eggcrate: one lean image per environment, component code outside, every pairing proven."""

__version__ = "0.1.0"
