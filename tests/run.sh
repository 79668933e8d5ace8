#!/bin/sh
# Run all tests: style, types, import contracts, then pytest.
#
#   tests/run.sh                              everything
#   tests/run.sh tests/unit/imap -k fetch     only pytest, with these arguments
#
# Makes .venv-test from tests/requirements.lock the first time.  A step that fails does not
# stop the later ones; the exit code tells whether any did.  MAILBOX_SERVER_TEST_WORKERS is the
# number of pytest processes (2).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/deploy/environment.sh"

make_environment "$root/.venv-test" "$root/tests/requirements.lock"

# Hundreds of our processes are started: without bytecode each would compile the program anew.
unset PYTHONDONTWRITEBYTECODE

cd "$root"
bin=$root/.venv-test/bin
if [ "$#" -gt 0 ]; then
  exec "$bin/python" -m pytest "$@"
fi

failed=''
step() {
  name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" || failed="$failed, $name"
}

step 'style' "$bin/ruff" check .
step 'layout' "$bin/ruff" format --check .
step 'types' "$bin/python" -m mypy --strict
step 'import contracts' "$bin/lint-imports" --no-cache
if [ -n "$failed" ]; then
  printf '\n== failed so far: %s\n' "${failed#, }"
fi

printf '\n== tests\n'
code=0
# In the order of the files: otherwise those with one test, which are the longest, come last.
"$bin/python" -m pytest -n "${MAILBOX_SERVER_TEST_WORKERS:-2}" --dist loadfile \
  --no-loadscope-reorder --durations=10 || code=$?
# Nothing is printed after pytest, so that its closing line is the last one.
[ -z "$failed" ] || [ "$code" -ne 0 ] || code=1
exit "$code"
