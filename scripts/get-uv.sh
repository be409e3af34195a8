#!/usr/bin/env bash
# Puts uv, of exactly one version, into a virtual environment of its own.
#   scripts/get-uv.sh PYTHON FOLDER VERSION
set -euo pipefail

python=$1 folder=$2 version=$3

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  found=$(command -v "$python" >/dev/null && "$python" --version 2>&1 || echo "not there")
  echo "Python 3.11 or later is needed; $python is: $found." >&2
  echo "Name another one: make PYTHON=python3.12 ..." >&2
  exit 1
fi

# Debian's Python comes without what makes virtual environments.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing python3-venv"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get install -y -qq python3-venv >/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
  else
    echo "$python cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2
    exit 1
  fi
fi

echo "installing uv $version into $folder"
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$version"
