"""Measurements: what Eggcrate costs and saves, beside what others use. ``make bench`` runs it."""
