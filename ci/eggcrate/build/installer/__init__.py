"""What installs a lock inside a Dockerfile: pip, pinned."""
