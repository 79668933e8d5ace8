# Make a Python environment hold what a lock file says; sourced by deploy/try.sh and tests/run.sh.
#
# The caller has set root, the folder of this checkout.  After make_environment FOLDER LOCK,
# FOLDER/bin/python has the packages of LOCK, each checked against its hash, and finds
# mailbox_server in the checkout.  A stamp is written last: where it is missing or tells of
# another lock, another Python or another place, the environment is made anew.  pip obeys
# the user's own settings (PIP_* and pip.conf).

say() {
  printf '%s\n' "$*" >&2
}

# Print the first interpreter that can make an environment, or say what to install.
find_python() {
  unable='' old=''
  for candidate in ${MAILBOX_SERVER_PYTHON:+"$MAILBOX_SERVER_PYTHON"} python3.13 python3.12 python3.11 python3; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if ! "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      old=${old:-$version}
    elif ! "$candidate" -c 'import ensurepip, ssl, sqlite3, venv' 2>/dev/null; then
      unable=${unable:-$version}
    else
      echo "$candidate"
      return 0
    fi
  done
  if [ -n "$unable" ]; then
    say "Python $unable is here without its venv module. On Debian and Ubuntu: sudo apt install python3-venv"
  elif [ -n "$old" ]; then
    say "mailbox-server needs Python 3.11 or later; here is $old. On Debian 12, Ubuntu 24.04 or later: sudo apt install python3-venv"
  else
    say "mailbox-server needs Python 3.11 or later, and there is none here. On Debian and Ubuntu: sudo apt install python3-venv"
  fi
  return 1
}

# What the stamp of environment $1 must say to match lock $2.
stamp_for() {
  "$1/bin/python" -c '
import hashlib, sys
with open(sys.argv[1], "rb") as lock:
    print(sys.version.split()[0], sys.prefix, hashlib.sha256(lock.read()).hexdigest())
' "$2" 2>/dev/null
}

# Install lock $2 into environment $1; pip's own words go to a file, shown when it fails.
install_lock() {
  log=$1/install.log
  packages=$(grep -c '==' "$2")
  set -- "$1/bin/python" -m pip install --no-user --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: --no-deps -r "$2"
  if [ -t 2 ]; then
    {
      PYTHONUNBUFFERED=1 "$@" 2>&1 || echo "pip-failed"
    } | {
      seen=0 outcome=0
      while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        case $line in
          Collecting* | Processing*)
            seen=$((seen + 1))
            name=${line#* }
            name=${name%% (from*}
            printf '\r\033[K  %d of %d  %s' "$seen" "$packages" "${name##*/}" >&2
            ;;
          'Installing collected'*) printf '\r\033[K  unpacking' >&2 ;;
          pip-failed) outcome=1 ;;
        esac
      done
      printf '\r\033[K' >&2
      return "$outcome"
    }
  else
    "$@" >"$log" 2>&1
  fi
}

make_environment() {
  environment=$1 lock=$2
  stamp=$(stamp_for "$environment" "$lock") || stamp=''
  if [ -n "$stamp" ] && [ "$stamp" = "$(cat "$environment/stamp" 2>/dev/null)" ]; then
    return 0
  fi
  python=$(find_python) || return 1
  case $environment in
    *:*) say "Python cannot make an environment in a path with a colon: $environment"; return 1 ;;
  esac
  if [ -e "$environment" ] && [ ! -f "$environment/pyvenv.cfg" ]; then
    say "$environment is in the way and is not a Python environment; move it elsewhere."
    return 1
  fi
  say "Installing $(grep -c '==' "$lock") Python packages into $environment (once, about half a minute) ..."
  rm -rf "$environment"
  if ! trouble=$("$python" -m venv "$environment" 2>&1); then
    say "$trouble"
    say "$python could not make an environment. On Debian and Ubuntu: sudo apt install python3-venv"
    return 1
  fi
  if ! install_lock "$environment" "$lock"; then
    tail -n 15 "$environment/install.log" >&2
    say "The packages could not be installed; pip's words are above and in $environment/install.log."
    say "Once the cause is gone, the same command goes on."
    return 1
  fi
  "$environment/bin/python" -c '
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "checkout.pth").write_text(sys.argv[1] + "\n", "utf-8")
' "$root" || return 1
  stamp_for "$environment" "$lock" >"$environment/stamp"
}
