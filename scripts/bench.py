"""Run the measurements of ci/bench: ``bench.py [PART] … [--write]``, all parts by default."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ci"))

from bench.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
