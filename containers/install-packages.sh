#!/bin/sh
# install-packages.sh LOCK: /opt/venv with exactly the packages of a lock file, compiled, without pip and packages' tests.
set -eu
python3 -m venv --without-pip /opt/venv
/opt/pip/bin/pip --python /opt/venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
  --require-hashes --only-binary :all: -r "$1"
find /opt/venv/lib -depth -type d -name tests -path '*/site-packages/*' -exec rm -rf {} +
