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

is_there() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' && return
  # Ubuntu has no such package; a browser from elsewhere does as well.
  [ "$1" = chromium ] && { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
}

missing=()
for package in "${wanted[@]}"; do
  is_there "$package" || missing+=("$package")
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
install=("${run[@]}" apt-get install -y -qq --no-install-recommends)
"${install[@]}" "${missing[@]}" >/dev/null 2>&1 && exit 0

# The lists of packages may be absent or too old: only then are they fetched. One unknown name would keep all others out.
"${run[@]}" apt-get update -qq || true
known=()
for package in "${missing[@]}"; do
  if apt-cache show "$package" >/dev/null 2>&1; then
    known+=("$package")
  else
    echo "apt has no $package, so what needs it fails" >&2
  fi
done
if [ "${#known[@]}" -gt 0 ] && ! "${install[@]}" "${known[@]}" >/dev/null; then
  echo "could not be installed, so what needs them fails:  sudo apt-get install ${known[*]}" >&2
fi
