"""A component's function out of a pickle: travels as ``eggcrate_pickle.py``.

Standard library, and cloudpickle, which travels beside it.
"""

from __future__ import annotations

import os

import cloudpickle

_FILE = f"{os.path.dirname(os.path.abspath(__file__))}/eggcrate_pickle.bin"  # noqa: PTH100, PTH120
with open(_FILE, "rb") as _file:  # noqa: PTH123 - the room of what travels
    _function = cloudpickle.load(_file)
globals()[_function.__name__] = _function
