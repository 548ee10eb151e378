"""Pipeline steps: one folder each. Helper modules they share are in ``shared``."""
