#!/usr/bin/env bash
# Put every compiled pipeline where PIPELINES says: gs://BUCKET/PATH, or a registry of pipelines.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${PIPELINES:-}" ]; then
    echo "left out: there is no place for pipelines (_PIPELINES)"
    exit 0
fi
for file in build/pipelines/*.yaml; do
    .venv/bin/eggcrate upload "$file" --to "$PIPELINES"
done
