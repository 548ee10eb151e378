"""Values in, text out: tables, grids, JSON."""
