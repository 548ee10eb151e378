#!/usr/bin/env bash
# Formatting, lint and types, as CI judges them.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
