"""Hold a table to a schema, and describe it."""
