"""Build and push what changed: ``eggcrate build --changed --push`` for this repository.

Usage: .venv/bin/python scripts/build_changed.py [--json] [--dry-run] [--registry HOST/PATH]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "ci"))

from eggcrate.cli import main  # noqa: E402 - needs the path above

if __name__ == "__main__":
    sys.exit(main(["--repo", str(ROOT), "build", "--changed", "--push", *sys.argv[1:]]))
