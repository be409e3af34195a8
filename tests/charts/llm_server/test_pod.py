"""The pod of a pool: what runs in it, in which order it starts and ends, and what it may use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.helm import Object, containers, pod_spec, render
from tests.charts.pools import BESIDE, CLOUDS, MINIMAL, on


def workload(*values: dict[str, Any], kind: str = "Deployment") -> Object:
    return render("llm-server", *values).one(kind)


def pod(*values: dict[str, Any], kind: str = "Deployment") -> Object:
    spec = pod_spec(workload(*values, kind=kind))
    assert spec is not None
    return spec


def arguments(*values: dict[str, Any]) -> dict[str, str]:
    """llama-server's, by name; a switch has no value."""
    listed = containers(pod(*values))["llama"]["args"]
    following = [*listed[1:], "--"]
    return {
        each: "" if value.startswith("--") else value
        for each, value in zip(listed, following, strict=True)
        if each.startswith("--")
    }


def test_weights_come_first_then_the_server_and_the_gate_last() -> None:
    spec = pod(MINIMAL, BESIDE)
    assert [each["name"] for each in spec["initContainers"]] == ["weights", "llama", "exporter"]
    assert [each["name"] for each in spec["containers"]] == ["gate"]


def test_server_and_exporter_are_sidecars_so_that_they_end_after_the_gate() -> None:
    restart = {name: each.get("restartPolicy") for name, each in containers(pod(MINIMAL, BESIDE)).items()}
    assert restart == {"weights": None, "llama": "Always", "exporter": "Always", "gate": None}


def test_the_pod_leaves_the_endpoints_before_the_gate_is_told_to_end() -> None:
    gate = containers(pod(MINIMAL, {"drain": {"endpointSeconds": 7}}))["gate"]
    assert gate["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_spot_pod_ends_within_the_clouds_notice(cloud: str) -> None:
    notice_s = {"aws": 120, "gcp": 30, "azure": 30}[cloud]
    spec = pod(on(cloud, "gpu"))
    sleep_s = containers(spec)["gate"]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep_s < spec["terminationGracePeriodSeconds"] < notice_s


def test_only_the_gate_has_ports() -> None:
    ports = {name: each.get("ports") for name, each in containers(pod(MINIMAL)).items()}
    assert ports.pop("gate") == [
        {"name": "gate", "containerPort": 8443},
        {"name": "gate-metrics", "containerPort": 9092},
    ]
    assert set(ports.values()) == {None}


def test_the_server_listens_on_loopback_and_shows_no_prompts() -> None:
    told = arguments(MINIMAL)
    assert (told["--host"], told["--port"]) == ("127.0.0.1", "8081")
    assert {"--metrics", "--no-slots", "--no-webui"} <= set(told)


def test_the_server_is_called_what_requests_ask_for() -> None:
    assert (
        arguments(MINIMAL, {"model": {"name": "qwen3-8b", "slots": 2, "contextPerSlot": 512}})["--alias"] == "qwen3-8b"
    )


def test_context_is_that_of_all_slots() -> None:
    told = arguments(MINIMAL, {"model": {"slots": 3, "contextPerSlot": 1000}})
    assert (told["--parallel"], told["--ctx-size"]) == ("3", "3000")


def test_layers_go_to_the_gpu_where_there_is_one() -> None:
    assert "--n-gpu-layers" not in arguments(on("aws", "cpu"))
    assert arguments(on("aws", "gpu"))["--n-gpu-layers"] == "999"


def test_threads_and_further_arguments_are_passed_on() -> None:
    told = arguments(MINIMAL, {"server": {"threads": 3, "extraArgs": ["--flash-attn", "on"]}})
    assert (told["--threads"], told["--flash-attn"]) == ("3", "on")


def test_a_gpu_pool_runs_the_cuda_build() -> None:
    images = {kind: containers(pod(on("gcp", kind)))["llama"]["image"] for kind in ("cpu", "gpu")}
    assert ":server-b" in images["cpu"]
    assert ":server-cuda-b" in images["gpu"]


def test_a_gpu_is_asked_for_whole() -> None:
    limits = containers(pod(on("azure", "gpu")))["llama"]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == 1
    assert all(
        "nvidia.com/gpu" not in each["resources"].get("limits", {}) for each in pod(on("azure", "cpu"))["containers"]
    )


def test_memory_holds_weights_cache_and_saved_prompts() -> None:
    resources = containers(pod(MINIMAL, {"server": {"cacheRamMiB": 256}}))["llama"]["resources"]
    weights, cache, working = 668788096 // 2**20, 22528 * 4 * 2048 // 2**20, 512
    assert resources["requests"]["memory"] == f"{weights + cache + working + 256}Mi"
    assert resources["limits"]["memory"] == resources["requests"]["memory"]


def test_given_resources_win() -> None:
    given = {"resources": {"requests": {"cpu": "3", "memory": "5Gi"}, "limits": {"memory": "6Gi"}}}
    resources = containers(pod(MINIMAL, given))["llama"]["resources"]
    assert resources == {"requests": {"cpu": "3", "memory": "5Gi"}, "limits": {"memory": "6Gi"}}


def test_all_containers_say_what_they_need() -> None:
    for name, each in containers(pod(MINIMAL, BESIDE)).items():
        assert {"cpu", "memory"} <= set(each["resources"]["requests"]), name
        assert "memory" in each["resources"]["limits"], name


def test_loading_has_its_time_and_a_busy_server_is_not_killed() -> None:
    llama = containers(pod(MINIMAL, {"server": {"startupSeconds": 900}}))["llama"]
    startup, liveness = llama["startupProbe"], llama["livenessProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] == 900
    assert liveness["failureThreshold"] * liveness["periodSeconds"] >= 60
    assert all("/slots" not in str(llama[probe]) for probe in ("startupProbe", "readinessProbe", "livenessProbe"))


def test_the_gate_is_probed_where_no_client_certificate_is_asked_for() -> None:
    gate = containers(pod(MINIMAL))["gate"]
    assert gate["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "gate-metrics"}
    assert gate["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "gate-metrics"}


def test_both_keys_come_from_the_secret_and_from_nowhere_else() -> None:
    env = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in containers(pod(MINIMAL))["gate"]["env"]}
    assert {name: ref["key"] for name, ref in env.items()} == {
        "GATE_KEY_ID": "current-id",
        "GATE_KEY": "current",
        "GATE_NEXT_KEY_ID": "next-id",
        "GATE_NEXT_KEY": "next",
    }
    assert {ref["name"] for ref in env.values()} == {"aws-gate"}


def test_the_pod_has_no_token_of_the_api_server() -> None:
    objects = render("llm-server", MINIMAL)
    assert pod(MINIMAL)["automountServiceAccountToken"] is False
    assert objects.one("ServiceAccount")["automountServiceAccountToken"] is False


def test_pods_are_spread_over_zones_and_nodes_where_it_can_be_had() -> None:
    spread = pod(MINIMAL)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {each["whenUnsatisfiable"] for each in spread} == {"ScheduleAnyway"}
    assert "topologySpreadConstraints" not in pod(MINIMAL, {"topologySpread": False})


def test_a_changed_configuration_and_a_new_key_start_pods_anew_and_a_new_chart_does_not() -> None:
    def template(*values: dict[str, Any]) -> Object:
        metadata: Object = workload(MINIMAL, *values)["spec"]["template"]["metadata"]
        return metadata

    first = template()
    assert template({"gate": {"maxBody": "1MiB"}})["annotations"] != first["annotations"]
    assert template({"gate": {"keys": {"generation": 2}}})["annotations"] != first["annotations"]
    assert not any(label.startswith(("helm.sh", "app.kubernetes.io/version")) for label in first["labels"])


@pytest.mark.parametrize(("kind", "expected"), [("cpu", (1, 0)), ("gpu", (0, 1))])
def test_a_rolling_update_needs_no_second_gpu(kind: str, expected: tuple[int, int]) -> None:
    rolling = workload(on("gcp", kind))["spec"]["strategy"]["rollingUpdate"]
    assert (rolling["maxSurge"], rolling["maxUnavailable"]) == expected


def test_pull_secrets_priority_labels_and_annotations_are_taken_over() -> None:
    given = {
        "images": {"pullSecrets": [{"name": "registry"}]},
        "priorityClassName": "llm",
        "podLabels": {"team": "search"},
        "podAnnotations": {"note": "yes"},
    }
    metadata = workload(MINIMAL, given)["spec"]["template"]["metadata"]
    spec = pod(MINIMAL, given)
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["priorityClassName"] == "llm"
    assert metadata["labels"]["team"] == "search"
    assert metadata["annotations"]["note"] == "yes"


def test_the_selector_finds_the_pods_and_never_changes_with_values() -> None:
    found = workload(MINIMAL)
    selector = found["spec"]["selector"]["matchLabels"]
    assert selector.items() <= found["spec"]["template"]["metadata"]["labels"].items()
    assert workload(on("azure", "gpu"))["spec"]["selector"]["matchLabels"] == selector
