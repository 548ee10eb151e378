"""Debian packages: from the signed index to a lock, from a lock to the files of a base."""
