"""What this component does, in one line."""
