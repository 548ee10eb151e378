"""Split a table into what a model learns from and what it is judged by."""
