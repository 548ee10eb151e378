"""Compiled pipelines on this machine: each task in its image, in parallel, remembered."""
