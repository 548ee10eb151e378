"""What is mounted beside an image to test components in it: pytest and a plugin.

Nothing here is ever part of an image. ``pyproject.toml`` and ``poetry.lock`` pin it; the
modules in ``mounted/`` are run by the image's Python, after the image's own packages.
"""
