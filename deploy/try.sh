#!/bin/sh
# Try the mail server on this machine: no root, loopback only, nothing outside this folder.
#
#   deploy/try.sh            makes its environment the first time, then starts in try mode
#   deploy/try.sh --help     what try mode can be told
#
# Needs Python 3.11 or later with its venv module.  Ctrl-C stops it; started again it goes
# on with the same mail.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/deploy/environment.sh"

make_environment "$root/.venv" "$root/deploy/requirements.lock"

umask 077
# -P keeps a file of the current folder from standing in for a module.
exec "$root/.venv/bin/python" -P -m mailbox_server try "$@"
