#!/bin/sh
# Make both lock files anew from pyproject.toml: the newest releases that its ranges allow.
#
#   pip install uv && deploy/relock.sh              the newest of everything
#   deploy/relock.sh --upgrade-package twisted      one package, the others stay
#
# One lock serves CPython 3.11 and later on every platform. It names no index and holds
# only packages that come as wheels, each with its hashes: what is installed tomorrow is
# octet for octet what was tested today.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root"
uv=$(command -v uv || echo "$root/.venv-test/bin/uv")
[ "$#" -gt 0 ] || set -- --upgrade

compile() {
  lock=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --only-binary :all: \
    --generate-hashes --no-emit-index-url --no-header --no-annotate \
    --output-file "$lock" "$@" pyproject.toml
  echo "$lock: $(grep -c '==' "$lock") packages"
}

compile deploy/requirements.lock "$@"
# The tests run with exactly what the server runs with.
compile tests/requirements.lock --constraint deploy/requirements.lock --group test "$@"
