"""Which environments must be built, and why: ``eggcrate plan`` for this repository.

Usage: .venv/bin/python scripts/detect_changes.py [--json] [--base REF] [ENV …]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "ci"))

from eggcrate.cli import main  # noqa: E402 - needs the path above

if __name__ == "__main__":
    sys.exit(main(["--repo", str(ROOT), "plan", *sys.argv[1:]]))
