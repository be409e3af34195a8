#!/usr/bin/env bash
# Looks at this workstation: what the router, its demo and its tests need, and what the cloud parts need besides.
# Changes nothing. Exit code 0 where the demo and the tests can run, 1 where something that they need is missing.
set -euo pipefail

missing=0

# line MARK NAME TEXT
line() { printf '%-4s %-22s %s\n' "$1" "$2" "$3"; }

version_of() { "$@" 2>/dev/null | head -n 1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true; }

# at_least VERSION WANTED
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# need NAME WANTED HOW-TO-GET VERSION-COMMAND...
need() {
  local name=$1 wanted=$2 how=$3 found
  shift 3
  if ! command -v "$1" >/dev/null; then
    line MISS "$name" "not found, $wanted or later is needed: $how"
    missing=1
    return
  fi
  found=$(version_of "$@")
  if at_least "${found:-0}" "$wanted"; then
    line ok "$name" "$found"
  else
    line MISS "$name" "${found:-unknown version}, $wanted or later is needed: $how"
    missing=1
  fi
}

# later NAME WHAT-FOR HOW-TO-GET
later() {
  if command -v "$1" >/dev/null; then
    line ok "$1" "found; for $2"
  else
    line "-" "$1" "not found; for $2: $3"
  fi
}

apt() { echo "sudo apt-get install $1"; }

echo "for the demo, the tests and the router:"
need python3 3.11 "$(apt 'python3 python3-venv'), or make PYTHON=/path/to/python" "${PYTHON:-python3}" --version
need git 2.30 "$(apt git)" git --version
need make 4.0 "$(apt make)" make --version
need curl 7.68 "$(apt curl)" curl --version
if command -v "${PYTHON:-python3}" >/dev/null && ! "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null; then
  line MISS venv "this Python cannot make virtual environments: $(apt python3-venv)"
  missing=1
fi

echo
echo "for the cloud parts, not needed for the demo and the tests:"
later docker "the router's image" "https://docs.docker.com/engine/install/"
later kubectl "the clusters" "https://kubernetes.io/docs/tasks/tools/"
later helm "the charts" "https://helm.sh/docs/intro/install/"
later pulumi "the infrastructure programs" "https://www.pulumi.com/docs/install/"
later aws "AWS" "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
later gcloud "Google Cloud" "https://cloud.google.com/sdk/docs/install"
later gke-gcloud-auth-plugin "Google Cloud's clusters" "gcloud components install gke-gcloud-auth-plugin"
later az "Azure" "https://learn.microsoft.com/cli/azure/install-azure-cli"
later kubelogin "Azure's clusters" "az aks install-cli"

echo
if [ "$missing" = 0 ]; then
  echo "ready: make demo, make test"
else
  echo "get what is marked MISS, then run this again"
fi
exit "$missing"
