"""What builds packages that are published as sdists only: pinned backends and a script."""
