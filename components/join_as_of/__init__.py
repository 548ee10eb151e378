"""Give each row what was known at its time."""
