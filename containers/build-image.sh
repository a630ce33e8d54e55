#!/usr/bin/env bash
# build-image.sh TARGET: build the image resnet-TARGET with docker, podman or buildah, whichever works here.
# BASE is another base image, BUILDER another choice of program, BUILD_OPTIONS further options of its build command.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1

works() {
  case $1 in
    docker) docker version >/dev/null 2>&1 ;; # without an engine, the client alone is of no use
    *) command -v "$1" >/dev/null ;;
  esac
}

choose() {
  local name
  for name in docker podman buildah; do
    if works "$name"; then
      echo "$name"
      return
    fi
  done
  echo "error: none of docker, podman and buildah works here; install one (Debian, Ubuntu: sudo apt install podman)" >&2
  exit 2
}

targets="serve serve-openvino serve-gpu train train-gpu torchserve"
if [[ " $targets " != *" $target "* ]]; then
  echo "error: TARGET is $target; expected one of: $targets" >&2
  exit 2
fi
builder=${BUILDER:-$(choose)}
options=(-f containers/Dockerfile --target "$target" -t "resnet-$target")
options+=(--build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)")
options+=(--build-arg "REVISION=$(git describe --always --dirty 2>/dev/null || echo unknown)")
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")
# The form of the Open Container Initiative has no place for a health check.
[ "$builder" = docker ] || options+=(--format docker)
# shellcheck disable=SC2206 # several options in one variable
options+=(${BUILD_OPTIONS:-})
echo "Building resnet-$target with $builder" >&2
exec "$builder" build "${options[@]}" .
