"""``python -m eggcrate``, and the command ``eggcrate`` of ``.venv``."""

import os
import sys

# Many container images forbid byte code for the sake of their size: each start of ours would
# compile all that it imports again, and Poetry's and KFP's processes would. ``.venv`` is ours.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from eggcrate.cli import main  # noqa: E402 - what it imports is to be kept

if __name__ == "__main__":
    raise SystemExit(main())
