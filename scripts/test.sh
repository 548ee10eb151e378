#!/usr/bin/env bash
# All tests of the tool. Installs what the integration tests need where it can (root on
# Debian); elsewhere those tests are skipped by name with the reason. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

part() { # name, command...
    local name=$1 start=$SECONDS
    shift
    "$@"
    echo "$name: $((SECONDS - start)) s"
}

install_services() {
    local wanted=() pair
    for pair in dockerd:docker.io docker-registry:docker-registry skopeo:skopeo umoci:umoci \
        gpg:gnupg chromium:chromium faketime:faketime; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
    done
    [ "${#wanted[@]}" -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "not installed, so their tests will be skipped: ${wanted[*]}"
        return 0
    fi
    echo "installing ${wanted[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

part "lint" scripts/lint.sh
part "services" install_services
part "tests" .venv/bin/pytest -n "$(nproc)" --dist loadgroup "$@"
