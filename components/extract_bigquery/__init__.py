"""Bring a query or a table of BigQuery into a pipeline."""
