"""Split a table for training, validation and test."""
