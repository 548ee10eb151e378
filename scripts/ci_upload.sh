#!/usr/bin/env bash
# Put every compiled pipeline where [upload] of its config.toml says, in the stage STAGE; one that
# says nothing of it, where PIPELINES says: gs://BUCKET/PATH, or a registry of pipelines.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${PIPELINES:-} in
    gs://*) PIPELINES=${PIPELINES%/}/ ;;  # below it: without the slash all would be one object
esac
for file in build/pipelines/*.yaml; do
    name=$(basename "$file" .yaml)
    if grep -Eqs '^\[(stages\.[^.]+\.)?upload\]' "pipelines/$name/config.toml"; then
        EGGCRATE_STAGE=${STAGE:-} .venv/bin/eggcrate upload "$name"
    elif [ -n "${PIPELINES:-}" ]; then
        .venv/bin/eggcrate upload "$file" --to "$PIPELINES"
    else
        echo "$name: left out: there is no place for it (_PIPELINES, or [upload] in its config.toml)"
    fi
done
