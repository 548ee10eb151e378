#!/bin/sh
# Have a Docker client with BuildKit in a step of Cloud Build, whose image may have none; the
# daemon is the machine's, and every step has its socket.
set -eu
if DOCKER_BUILDKIT=1 docker build --help 2>/dev/null | grep -q -e --secret; then
    exit
fi
apt-get update -qq
# Debian 13 has the client and its builder as packages of their own; before, one package is both.
apt-get install --yes --no-install-recommends -qq docker-cli docker-buildx ||
    apt-get install --yes --no-install-recommends -qq docker.io
