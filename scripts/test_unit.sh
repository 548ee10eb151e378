#!/usr/bin/env bash
# The tests that need neither the network nor programs beside Python and git: what CI runs first.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/pytest -q -n "$(nproc)" --dist loadgroup \
    -m "not network and not docker and not sandbox and not tools and not browser" "$@"
