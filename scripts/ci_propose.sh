#!/usr/bin/env bash
# Propose what changed in the working tree: a branch on the forge, and a pull request for it.
#   ci_propose.sh NAME TITLE
# FORGE_TOKEN may push, and open pull requests. REMOTE is where to (default: where the clone is
# from), BASE_BRANCH what it is proposed for. The branch eggcrate/NAME is this script's own: it is
# replaced each time, unless somebody else committed to it.
set -euo pipefail
export GIT_TERMINAL_PROMPT=0
cd "$(dirname "$0")/.."
branch=eggcrate/$1 title=$2 base=${BASE_BRANCH:-main} author=eggcrate@localhost
remote=${REMOTE:-$(git remote get-url origin)}
if [ -z "$(git status --porcelain)" ]; then
    echo "nothing changed: nothing is proposed"
    exit 0
fi
forge() { # a git command that may log in: the token is in no argument and in no file
    # shellcheck disable=SC2016 - git's shell is to expand it
    git -c credential.helper= -c credential.helper='!f() {
        echo username=x-access-token; echo "password=$FORGE_TOKEN"; }; f' "$@"
}
if forge fetch --quiet --depth=1 "$remote" "refs/heads/$branch" 2>/dev/null &&
    [ "$(git log -1 --format=%ce FETCH_HEAD)" != "$author" ]; then
    echo "$branch holds a commit of $(git log -1 --format=%cn FETCH_HEAD): merge it, or delete the branch"
    exit 1
fi
git add --all
git -c user.name=Eggcrate -c user.email="$author" commit --quiet --message "$title"
options=()
case $remote in
*gitlab*)
    options=(-o merge_request.create -o "merge_request.target=$base" -o "merge_request.title=$title")
    ;;
esac
forge push --quiet --force "${options[@]}" "$remote" "HEAD:refs/heads/$branch"
echo "pushed $branch"
case $remote in
*github*) exec "${PYTHON:-python3}" scripts/open_pull_request.py "$remote" "$branch" "$base" "$title" ;;
*gitlab*) ;;
*) echo "open a pull request for it by hand: only GitHub's and GitLab's are opened here" ;;
esac
