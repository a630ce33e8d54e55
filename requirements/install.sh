#!/usr/bin/env bash
# install.sh PYTHON VENV LOCK: make an environment with the packages of a lock file, or say in one line why not.
set -euo pipefail
python=$1 venv=$2 lock=$3
log="$venv/install.log"

fail() {
  echo "error: $*" >&2
  exit 2
}

instead() {
  local name
  for name in python3.11 python3.12 python3.13; do
    if command -v "$name" >/dev/null; then
      echo "; $name is installed and works too: add PYTHON=$name"
      return
    fi
  done
}

make_environment() {
  command -v "$python" >/dev/null \
    || fail "$python was not found; install it (Debian, Ubuntu: sudo apt install $python-venv)$(instead)"
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
    || fail "PYTHON=$python is $("$python" --version 2>&1); expected Python 3.11, 3.12 or 3.13$(instead)"
  "$python" -m venv --clear "$venv" >/dev/null && return
  rm -rf "$venv"
  fail "$python cannot create an environment; install its venv module (Debian, Ubuntu: sudo apt install $python-venv)"
}

say_why() {
  if grep -q 'No space left on device' "$log"; then
    fail "the disk is full; the packages of $lock did not fit (details: $log)"
  elif grep -q 'connection broken by' "$log"; then
    fail "the package registry cannot be reached; check the network or the proxy, then try again (details: $log)"
  fi
  fail "pip cannot install $lock: $(grep '^ERROR' "$log" | tail -n 1) (details: $log)"
}

[ -x "$venv/bin/python" ] || make_environment
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" 2>"$log" || say_why
