#!/usr/bin/env bash
# Tell what a change does: a branch beside the main one (_BASE_BRANCH), a commit on the main one
# beside the commit before it. CI clones one commit only: the history is fetched for this alone,
# and a build does not fail for want of it.
set -euo pipefail
cd "$(dirname "$0")/.."
branch=${_BASE_BRANCH:-main}
shallow=
[ "$(git rev-parse --is-shallow-repository)" = false ] || shallow=--unshallow
git fetch --quiet $shallow origin "+refs/heads/$branch:refs/remotes/origin/$branch" || true
base=origin/$branch
if [ "$(git rev-parse --quiet --verify "$base")" = "$(git rev-parse HEAD)" ]; then
    base=HEAD~1
fi
if ! git rev-parse --quiet --verify "$base^{commit}" >/dev/null; then
    echo "no report: the history that $base is in cannot be fetched"
    exit 0
fi
exec .venv/bin/eggcrate impact --base "$base"
