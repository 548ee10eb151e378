"""Ask one or two tables a question in SQL."""
