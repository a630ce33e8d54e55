#!/bin/sh
# What is mounted decides: a folder of bundles at /models, else one bundle at /bundle. Further options go to the server,
# which takes the last where one is given twice.
set -eu
has_files() { [ -d "$1" ] && [ -n "$(ls -A "$1" 2>&1)" ]; }

case " $* " in
  *" --bundle"[\ =]* | *" --models"[\ =]* | *" --help "*) ;;
  *)
    if has_files /models; then
      set -- --models /models "$@"
    elif has_files /bundle; then
      set -- --bundle /bundle "$@"
    else
      echo "error: no bundle is mounted; add -v \"\$PWD/runs/NAME/bundle:/bundle:ro\", or a folder of bundles at /models" >&2
      exit 3
    fi
    ;;
esac
exec python3 -m serve --host "$HOST" --port "$PORT" --cache "$CACHE" "$@"
