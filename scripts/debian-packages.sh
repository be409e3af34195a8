#!/usr/bin/env bash
# Installs those packages of debian-packages.txt that are used by KIND and missing; where it may not, says how to.
#   scripts/debian-packages.sh test|bench
set -euo pipefail
cd "$(dirname "$0")/.."

kind=$1
mapfile -t wanted < <(awk -v kind="$kind" '!/^#/ && $2 == kind {print $1}' debian-packages.txt)

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system; what '$kind' uses has to be there already: ${wanted[*]}"
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

run=()
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "missing, so what needs them fails:  sudo apt-get install ${missing[*]}" >&2
    exit 0
  fi
  run=(sudo -n)
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}"
# The lists of packages may be absent or too old: only then are they fetched.
install=("${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}")
if ! "${install[@]}" >/dev/null 2>&1; then
  if ! { "${run[@]}" apt-get update -qq && "${install[@]}" >/dev/null; }; then
    echo "could not be installed, so what needs them fails:  sudo apt-get install ${missing[*]}" >&2
  fi
fi
