#!/usr/bin/env bash
# Takes a cloud stack down so that nothing is left to pay for.
#   scripts/teardown.sh aws|gcp|azure STACK [--production]
# In this order: Argo CD deletes what it made, and waits until the cloud has taken back its load balancers and volumes;
# then Pulumi deletes the stack; then the cloud is asked what still carries the stack's tag.
set -euo pipefail

usage() {
  sed -n '2,3s/^# *//p' "$0" >&2
  exit 2
}

[ $# -ge 2 ] || usage
cloud=$1 stack=$2 production=${3:-}
# What the cloud itself keeps from being deleted, by the types of its resources.
case $cloud in
  aws) keeps=(--target '**aws:eks/cluster:Cluster::*' --target '**aws:ecr/repository:Repository::*') ;;
  gcp) keeps=(--target '**gcp:container/cluster:Cluster::*') ;;
  azure) keeps=(--target '**azure-native:authorization:ManagementLockByScope::*') ;;
  *) usage ;;
esac
[ -z "$production" ] || [ "$production" = --production ] || usage
# How long Argo CD and the cloud have for load balancers and volumes.
deadline_s=${TEARDOWN_DEADLINE_S:-1800}

cd "$(dirname "$0")/../infra/$cloud"
say() { echo "teardown: $*"; }

pulumi stack select "$stack" >/dev/null
# A state that cannot be read is not one without a cluster: Pulumi's own words end this.
pulumi stack output --json >/dev/null
cluster=$(pulumi stack output cluster 2>/dev/null || true)
if [ -z "$cluster" ]; then
  say "the stack $stack has no cluster: destroying what there is"
  pulumi destroy --yes --skip-preview
  exit
fi

if pulumi config get environment 2>/dev/null | grep -qx prod; then
  if [ -z "$production" ]; then
    say "$cluster is production: call this with --production if it really is to go" >&2
    exit 1
  fi
  say "taking the protection of $cluster away"
  pulumi config set protected false
  pulumi state unprotect --all --yes
  # Nothing else: a stack that is half gone already is not made whole again first. Such a run stops at what is missing,
  # when this is done.
  if ! pulumi up --yes --skip-preview "${keeps[@]}"; then
    if [[ $(pulumi stack export) == *'"deletionProtection": true'* ]]; then
      say "the run above failed, and $cluster is still protected: put right what it says, then call this again" >&2
      exit 1
    fi
    say "the run above failed after it had taken the protection away: going on"
  fi
fi

kubeconfig=$(mktemp)
trap 'rm -f "$kubeconfig"' EXIT
pulumi stack output kubeconfig >"$kubeconfig"
in_cluster() { kubectl --kubeconfig "$kubeconfig" "$@"; }

left_in_cluster() {
  in_cluster get services --all-namespaces \
    --output 'jsonpath={range .items[?(@.spec.type=="LoadBalancer")]}service/{.metadata.name}{"\n"}{end}'
  in_cluster get persistentvolumes --output 'jsonpath={range .items[*]}volume/{.metadata.name}{"\n"}{end}'
}

if ! in_cluster get --raw /readyz >/dev/null 2>&1; then
  say "the cluster does not answer: load balancers and volumes that it made may be left, see below"
else
  say "Argo CD deletes what it made"
  in_cluster delete application root --namespace argocd --ignore-not-found --timeout "${deadline_s}s"
  # Volumes of stateful pods outlive them.
  in_cluster delete persistentvolumeclaims --all --namespace llm --ignore-not-found --timeout "${deadline_s}s"
  ends=$((SECONDS + deadline_s))
  while left=$(left_in_cluster) && [ -n "$left" ]; do
    if [ $SECONDS -ge $ends ]; then
      say "these are still there, and what is in the cloud for them would be left for ever:" >&2
      echo "$left" >&2
      say "find out why, then call this again" >&2
      exit 1
    fi
    say "waiting for $(echo "$left" | tr '\n' ' ')"
    sleep "${TEARDOWN_POLL_S:-10}"
  done
fi

say "Pulumi deletes the stack"
pulumi destroy --yes --skip-preview

case $cloud in
  aws) look=(aws resourcegroupstaggingapi get-resources --tag-filters "Key=cluster,Values=$cluster"
    --query 'ResourceTagMappingList[].ResourceARN' --output text) ;;
  gcp) look=(gcloud asset search-all-resources --query "labels.cluster=$cluster" --format 'value(name)') ;;
  azure) look=(az resource list --tag "cluster=$cluster" --query '[].id' --output tsv) ;;
esac
if ! command -v "${look[0]}" >/dev/null; then
  say "not looked whether anything is left: there is no ${look[0]}"
  exit
fi
if ! left=$("${look[@]}"); then
  say "the stack is gone; whether anything is left, ${look[0]} could not say (above): ask again when it can" >&2
  exit 1
fi
if [ -n "$left" ]; then
  say "this still carries the stack's tag (deleted keys and logs may for some days):"
  echo "$left"
  exit 1
fi
say "nothing is left"
