#!/usr/bin/env bash
# Says whether the GPU pools work, per kubectl context: nodes or a pool that can grow, driver and device plugin, taints
# and tolerations, pods that wait and why, layers on the GPU, and how fast a GPU pool answers beside the CPU pool.
#   scripts/validate-gpu.sh [--namespace llm] [--no-completion] [CONTEXT...]     default: aws-cluster gcp-cluster azure-cluster
# One line for each check: PASS, FAIL with what to do, or SKIP with why. Exit code 1 where one failed.
set -euo pipefail

namespace=llm
completion=yes
contexts=()
while [ $# -gt 0 ]; do
  case $1 in
    --namespace) namespace=${2:?--namespace needs a name}; shift 2 ;;
    --no-completion) completion=no; shift ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "unknown option $1; see --help" >&2; exit 2 ;;
    *) contexts+=("$1"); shift ;;
  esac
done
[ ${#contexts[@]} -gt 0 ] || contexts=(aws-cluster gcp-cluster azure-cluster)
command -v kubectl >/dev/null || { echo "kubectl is not there: scripts/setup.sh says how to get it" >&2; exit 2; }

failed=0
pass() { printf 'PASS  %-28s %s\n' "$1" "$2"; }
skip() { printf 'SKIP  %-28s %s\n' "$1" "$2"; }
fail() { printf 'FAIL  %-28s %s\n' "$1" "$2"; failed=1; }

k() { kubectl --context "$context" --request-timeout=15s "$@"; }
gpu_nodes=llm-platform/pool=gpu
gpu_count='{range .items[*]}{.metadata.name}{" "}{.status.allocatable.nvidia\.com/gpu}{"\n"}{end}'

check_nodes() {
  local nodes name count
  nodes=$(k get nodes -l "$gpu_nodes" -o jsonpath="$gpu_count")
  if [ -z "$nodes" ]; then
    if [ "$(gpu_pods | wc -l)" -gt 0 ]; then
      fail "GPU nodes" "none, though pods want one: see \"pods\" below, then the quota of spot GPUs$(quota_hint)"
    else
      pass "GPU nodes" "none, and nobody wants one: the pool is at zero"
    fi
    return
  fi
  while read -r name count; do
    if [ "${count:-0}" -gt 0 ]; then
      pass "GPU nodes" "$name offers $count nvidia.com/gpu"
    else
      fail "GPU nodes" "$name offers no nvidia.com/gpu: its driver or the device plugin is missing (kubectl -n kube-system get ds)"
    fi
  done <<<"$nodes"
}

check_device_plugin() {
  local found
  found=$(k get daemonsets -A -o jsonpath='{range .items[*]}{.metadata.namespace}{"/"}{.metadata.name}{" "}{.status.numberReady}{" "}{.status.desiredNumberScheduled}{"\n"}{end}' |
    grep -i 'nvidia.*device-plugin\|nvidia-gpu-device-plugin' || true)
  if [ -z "$found" ]; then
    fail "device plugin" "no DaemonSet of one: set components.devicePlugin.enabled of charts/platform (GKE brings its own)"
    return
  fi
  while read -r name ready wanted; do
    if [ "$ready" = "$wanted" ]; then
      pass "device plugin" "$name runs on $ready of $wanted nodes"
    else
      fail "device plugin" "$name runs on $ready of $wanted nodes: kubectl -n ${name%%/*} describe ds ${name##*/}"
    fi
  done <<<"$found"
}

gpu_pods() {  # names of the pods that ask for a GPU
  k get pods -n "$namespace" -l app.kubernetes.io/name=llm-server \
    -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.initContainers[*].resources.limits.nvidia\.com/gpu}{"\n"}{end}' |
    awk 'NF > 1 {print $1}'
}

quota_hint() {
  case $context in
    *aws*) echo " (AWS: \"All G and VT Spot Instance Requests\", in vCPUs)" ;;
    *gcp* | *gke*) echo " (Google: PREEMPTIBLE_NVIDIA_T4_GPUS and GPUS_ALL_REGIONS)" ;;
    *azure* | *aks*) echo " (Azure: \"Total Regional Low-priority vCPUs\")" ;;
  esac
}

check_pods() {
  local pods pod phase why
  pods=$(gpu_pods)
  if [ -z "$pods" ]; then
    skip "pods" "no pod asks for a GPU: the pool is at zero, or not deployed"
    return
  fi
  for pod in $pods; do
    phase=$(k get pod -n "$namespace" "$pod" -o jsonpath='{.status.phase}')
    why=$(k get pod -n "$namespace" "$pod" -o jsonpath='{.status.conditions[?(@.type=="PodScheduled")].message}')
    case $phase in
      Running) check_running_pod "$pod" ;;
      Pending)
        case $why in
          *"untolerated taint"*) fail "pods" "$pod waits: its tolerations lack a taint of the nodes; compare charts/llm-server/clouds with kubectl get nodes -o custom-columns=:.metadata.name,:.spec.taints" ;;
          *"Insufficient nvidia.com/gpu"*) fail "pods" "$pod waits for a free GPU: a node comes within minutes, else look at the quota$(quota_hint)" ;;
          *"didn't match Pod's node affinity"*) fail "pods" "$pod waits: no node has the label $gpu_nodes; is the pool there and may it grow?$(quota_hint)" ;;
          "") fail "pods" "$pod has a node and does not run yet: kubectl -n $namespace describe pod $pod" ;;
          *) fail "pods" "$pod waits: $why" ;;
        esac
        ;;
      *) fail "pods" "$pod is $phase: kubectl -n $namespace describe pod $pod" ;;
    esac
  done
}

check_running_pod() {
  local log layers total
  pass "pods" "$1 runs on $(k get pod -n "$namespace" "$1" -o jsonpath='{.spec.nodeName}')"
  if ! log=$(k logs -n "$namespace" "$1" -c llama --tail=-1 2>/dev/null); then
    skip "layers" "the log of $1 cannot be read"
    return
  fi
  read -r layers total < <(sed -n 's|.*offloaded \([0-9]*\)/\([0-9]*\) layers to GPU.*|\1 \2|p' <<<"$log" | tail -1) || true
  if [ -z "${layers:-}" ]; then
    fail "layers" "llama-server of $1 says nothing of layers on a GPU: is it the CUDA build (images.gpuServer)?"
  elif [ "$layers" = "$total" ]; then
    pass "layers" "$1 has all $total layers on the GPU"
  else
    fail "layers" "$1 has $layers of $total layers on the GPU: the model and its cache do not fit; fewer slots, or less context"
  fi
}

tokens_per_second() {  # of one completion of 64 tokens, by the first running pod of release $1; nothing where there is none
  local pod
  pod=$(k get pods -n "$namespace" -l "app.kubernetes.io/name=llm-server,app.kubernetes.io/instance=$1" \
    --field-selector=status.phase=Running -o jsonpath='{.items[0].metadata.name}' 2>/dev/null) || return 0
  k exec -n "$namespace" "$pod" -c llama -- curl -fsS --max-time 120 http://127.0.0.1:8081/completion \
    -d '{"prompt": "Count: one, two,", "n_predict": 64, "ignore_eos": true}' 2>/dev/null |
    sed -n 's/.*"predicted_per_second":\([0-9.]*\).*/\1/p'
}

check_completion() {
  local gpu cpu
  [ "$completion" = yes ] || { skip "completion" "not asked for"; return; }
  [ -n "$(gpu_pods)" ] || { skip "completion" "no pod asks for a GPU"; return; }
  gpu=$(tokens_per_second gpu || true)
  cpu=$(tokens_per_second cpu || true)
  if [ -z "$gpu" ]; then
    fail "completion" "no answer of the GPU pool: kubectl -n $namespace logs -l app.kubernetes.io/instance=gpu -c llama"
  elif [ -z "$cpu" ]; then
    pass "completion" "$gpu tokens/s on the GPU; no CPU pool to compare with"
  else
    pass "completion" "$gpu tokens/s on the GPU, $cpu on the CPU pool (of its own model)"
  fi
}

for context in "${contexts[@]}"; do
  echo "== $context"
  if ! k version >/dev/null 2>&1; then
    fail "cluster" "not reachable as context $context: kubectl config get-contexts"
    continue
  fi
  check_nodes
  check_device_plugin
  check_pods
  check_completion
done
exit $failed
