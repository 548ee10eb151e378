"""What Acme adds to Eggcrate."""
