#!/usr/bin/env bash
# Tests hybrid routing from outside, as a client would see it: PASS/FAIL lines, a summary, exit 0 if nothing failed.
#
#   scripts/test-hybrid-routing.sh
#
# ROUTER_URL      router to test (default http://localhost:8080); where none answers there, the script starts its own
#                 demo for the time of the test
# ROUTER_API_KEY  API key, where the router wants one
# DEMO_URL        the demo's switch for stopping clusters (default http://localhost:9099); without it the fallback is
#                 tested by the router's decision instead of by really stopping clusters
set -euo pipefail

router_url=${ROUTER_URL:-http://localhost:8080}
demo_url=${DEMO_URL:-http://localhost:9099}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
demo_pid=
passed=0
failed=0

finish() {
  if [ -n "$demo_pid" ]; then
    kill "$demo_pid" 2>/dev/null || true
    wait "$demo_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT

pass() {
  passed=$((passed + 1))
  echo "PASS  $1"
}

fail() {
  failed=$((failed + 1))
  echo "FAIL  $1"
}

# check DESCRIPTION CONDITION...: passes if the condition (a command) succeeds
check() {
  local what=$1
  shift
  if "$@"; then pass "$what"; else fail "$what"; fi
}

say_answer() {
  printf '      status %s, target %s, reason %s, attempts %s\n' \
    "$(status)" "$(header target)" "$(header reason)" "$(header attempts)"
}

# ask BODY [CURL-OPTION...]: a chat request; its status, headers and body are left in $work
ask() {
  local body=$1
  shift
  curl -sS -N --max-time 120 -o "$work/body" -D "$work/headers" -w '%{http_code}' \
    ${ROUTER_API_KEY:+-H "Authorization: Bearer $ROUTER_API_KEY"} \
    -H 'Content-Type: application/json' "$@" -d "$body" "$router_url${path:-/v1/chat/completions}" >"$work/status" || true
}

status() { cat "$work/status"; }

header() {
  tr -d '\r' <"$work/headers" | sed -n "s/^x-llm-router-$1: //Ip" | tail -n 1
}

# json EXPRESSION: evaluates a Python expression over the JSON body `b`, prints the result
json() {
  python3 -c 'import json, sys; b = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/body" "$1" 2>/dev/null
}

answered() { [ "$(status)" = 200 ]; }
has_text() { [ -n "$(json 'b["choices"][0]["message"]["content"]')" ]; }
reason_is() { [ "$(header reason)" = "$1" ]; }
by_cluster() { case "$(header reason)" in hybrid_cluster | fallback_cluster | cluster_first) true ;; *) false ;; esac; }
outside_or_gpu() {
  case "$(header reason)-$(header target)" in hybrid_external-* | fallback_external-* | external_first-* | *gpu*) true ;; *) false ;; esac
}
health() { curl -sS --max-time 5 "$router_url/health" 2>/dev/null; }
healthy_clusters() { health | python3 -c 'import json, sys; print(json.load(sys.stdin)["healthy_clusters"])' 2>/dev/null; }
total_clusters() { health | python3 -c 'import json, sys; print(json.load(sys.stdin)["total_clusters"])' 2>/dev/null; }

none_healthy() { [ "$(healthy_clusters)" = 0 ]; }
all_healthy() { [ "$(healthy_clusters)" = "$(total_clusters)" ]; }

# wait_for SECONDS CONDITION...: waits until the condition holds
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.3
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start_own_demo() {
  local command=$root/.venv/bin/llm-router port control
  if [ ! -x "$command" ]; then
    echo "No router answers at $router_url, and the command for a demo is not installed: run 'make install' first." >&2
    exit 2
  fi
  port=$(free_port)
  control=$(free_port)
  router_url=http://127.0.0.1:$port
  demo_url=http://127.0.0.1:$control
  echo "no router answers at ${ROUTER_URL:-http://localhost:8080}: starting a demo of our own (about 20 s)"
  "$command" demo --port "$port" --admin-port "$(free_port)" --control-port "$control" >"$work/demo.log" 2>&1 &
  demo_pid=$!
  if ! wait_for 180 curl -sSf --max-time 2 "$demo_url/clusters"; then
    echo "the demo did not come up; it said:" >&2
    tail -n 20 "$work/demo.log" >&2
    exit 2
  fi
}

test_health() {
  health >"$work/body" || true
  check "health answers with counts" [ "$(json 'b["status"] in ("healthy", "degraded") and b["total_clusters"] > 0')" = True ]
  printf '      %s\n' "$(cat "$work/body")"
}

test_simple() {
  ask '{"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}'
  check "a simple request is answered" answered
  check "… with text" has_text
  check "… by a cluster, reason hybrid_cluster" reason_is hybrid_cluster
  check "… and says what it cost" [ -n "$(header cost-usd)" ]
  say_answer
}

test_complex() {
  local prompt='Analyse step by step why a queue grows without bound when its utilisation approaches one. Derive the mean waiting time of an M/M/1 queue, compare it with M/D/1, prove which is larger, and design an experiment that tells them apart.'
  ask "{\"model\": \"auto\", \"messages\": [{\"role\": \"user\", \"content\": \"$prompt\"}], \"max_tokens\": 2000}"
  check "a complex request (2 000 tokens of analysis) is answered" answered
  check "… outside or by the GPU pool" outside_or_gpu
  say_answer
}

test_streaming() {
  ask '{"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10, "stream": true, "stream_options": {"include_usage": true}}'
  check "a streamed request is answered as events" grep -q '^data: {' "$work/body"
  check "… with usage" grep -q '"usage":{\|"usage": {' "$work/body"
  check "… with its cost as a comment" grep -q '^: x-llm-router-cost-usd' "$work/body"
  check "… and ends with [DONE]" grep -qx 'data: \[DONE\]' "$work/body"
  say_answer
}

test_policy() {
  local hello='{"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}'
  path=/v1/route ask "$hello" -H 'X-LLM-Compliance: gdpr'
  if [ "$(status)" = 200 ]; then
    local allowed
    allowed=" $(json '" ".join(t["target"] for t in b["targets"])') "
    check "a GDPR request names who may not answer, and why" [ "$(json 'any("compliance" in r["reason"] for r in b["rejected"]) or not b["rejected"]')" = True ]
    ask "$hello" -H 'X-LLM-Compliance: gdpr'
    check "… and is answered by one of those who may" [ "${allowed/ $(header target) /}" != "$allowed" ]
    say_answer
  else
    check "a GDPR request that nobody may answer is refused" [ "$(status)-$(json 'b["error"]["code"]')" = 503-no_compliant_target ]
  fi
  ask "$hello" -H 'X-LLM-Compliance: no-such-rule'
  check "a compliance tag that nobody knows is refused, not ignored" [ "$(status)" = 400 ]
}

test_fallback() {
  local hi='{"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}' names name
  if names=$(curl -sSf --max-time 2 "$demo_url/clusters" 2>/dev/null | python3 -c 'import json, sys; print(*json.load(sys.stdin))'); then
    for name in $names; do curl -sSf -X POST "$demo_url/clusters/$name/stop" >/dev/null; done
    check "all clusters can be stopped" wait_for 30 none_healthy
    ask "$hi"
    check "with all clusters down a provider answers, reason fallback_external" reason_is fallback_external
    say_answer
    for name in $names; do curl -sSf -X POST "$demo_url/clusters/$name/start" >/dev/null; done
    check "the clusters come back" wait_for 60 all_healthy
    ask "$hi"
    check "… and answer again" by_cluster
  else
    path=/v1/route ask "$hi"
    check "the decision holds a provider behind the clusters (no switch at $demo_url: clusters were not stopped)" \
      [ "$(json 'any("cluster" in t for t in b["targets"]) and any("provider" in t for t in b["targets"])')" = True ]
  fi
}

test_metrics() {
  if ! curl -sS --max-time 5 "$router_url/metrics" -o "$work/metrics" || ! grep -q llm_router "$work/metrics"; then
    fail "metrics answer at $router_url/metrics (a router that is not on loopback serves them on its admin listener)"
    return
  fi
  for name in llm_router_routing_decisions_total llm_router_cluster_health llm_router_provider_health \
    llm_router_cluster_cost_per_1k_tokens llm_router_provider_cost_per_1k_tokens llm_router_requests_total \
    llm_router_request_duration_seconds_count llm_router_tokens_total llm_router_cost_usd_total; do
    check "metrics hold $name" grep -q "^$name{" "$work/metrics"
  done
}

for tool in curl python3; do
  command -v "$tool" >/dev/null || { echo "$tool is needed: apt-get install $tool" >&2; exit 2; }
done
health >/dev/null 2>&1 || start_own_demo
echo "testing $router_url"
test_health
test_simple
test_complex
test_streaming
test_policy
test_fallback
test_metrics
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
