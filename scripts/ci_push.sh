#!/usr/bin/env bash
# Publish what is not published, and let the build record the images it made: Cloud Build keeps the
# first 4 KB of $BUILDER_OUTPUT/output among the build's results.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
code=0
.venv/bin/eggcrate build --changed --push --locked --json >build/push.json || code=$?
.venv/bin/python - build/push.json <<'EOF' | tee "${BUILDER_OUTPUT:-build}/output"
import json, os, pathlib, sys

text = pathlib.Path(sys.argv[1]).read_text()
for one in json.loads(text)["environments"] if text else ():
    print(f"{os.environ['EGGCRATE_REGISTRY']}/{one['name']}@{one['digest']} {one['platform']}")
EOF
exit "$code"
