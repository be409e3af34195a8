"""Real processes behind the pods of three clouds' pools, found and used by real routers behind a real proxy.

Collected by tests/gitops/test_live.py alone, which gives it a network of its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python as helm
import httpx
import pytest
import trustme
import yaml

from llm_infra.clouds import CLOUDS, Cloud
from llm_router.admission.key_file import create
from llm_router.demo.models import tiny_models
from tests.charts.helm import CHARTS, merged
from tests.charts.pools import ROUTER_IMAGE, exported, on
from tests.gitops.control_plane import ControlPlane, running_control_plane
from tests.gitops.live.gateway import running_gateway
from tests.gitops.live.kubelet import ANNOTATION, Kubelet
from tests.gitops.live.network import ROUTER_HOST, WEIGHTS_HOST, hosts_of_pools
from tests.gitops.nodes import name_of
from tests.router.redis_server import running_redis

MODEL = "tinyllama-1.1b-chat"
METRICS_TOKEN = "the-token-of-prometheus"
REAL = {
    "podAnnotations": {ANNOTATION: "real"},
    "monitoring": {"token": {"secretName": "metrics"}},
}
GATE_KEY = base64.b64encode(bytes(range(32))).decode()
NEXT_KEY = base64.b64encode(bytes(range(32, 64))).decode()
GPU = "llm-platform/pool=gpu"
EVERY_POOL = {f"{cloud}-gpu" for cloud in CLOUDS}


@dataclass
class Scene:
    plane: ControlPlane
    kubelet: Kubelet
    ca: Path
    config: dict[str, Any]
    keys: dict[str, str]
    http: httpx.Client

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"https://{ROUTER_HOST}",
            verify=ssl.create_default_context(cafile=self.ca),
            timeout=60,
            trust_env=False,
        )

    def chat(self, client: httpx.Client, key: str = "tests", pool: str = "", **fields: Any) -> httpx.Response:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8} | fields
        headers = {"authorization": f"Bearer {self.keys[key]}", "connection": "close"}
        headers |= {"x-llm-target": pool} if pool else {}
        return client.post("/v1/chat/completions", json=body, headers=headers)

    def install(self, name: str, chart: str, namespace: str, *values: dict[str, Any]) -> None:
        with helm.Config(kubeconfig_path=self.plane.api.kubeconfig, namespace=namespace) as config:
            config.install(CHARTS / chart, name, merged(*values), namespace=namespace)

    def upgrade_router(self, **changes: Any) -> None:
        self.config = merged(self.config, changes)
        with helm.Config(kubeconfig_path=self.plane.api.kubeconfig, namespace="llm-router") as config:
            config.upgrade(CHARTS / "router", "llm-router", router_values(self.config), namespace="llm-router")

    def secret(self, name: str, namespace: str, content: dict[str, str]) -> None:
        metadata = {"name": name, "namespace": namespace}
        self.plane.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}])

    def ready_pods(self, namespace: str, selector: str) -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in self.plane.pods(namespace, selector)
            for each in pod["status"].get("conditions", ())
            if (each["type"], each["status"]) == ("Ready", "True")
        ]


def pool_values(cloud: Cloud, weights: Path) -> dict[str, Any]:
    """The cloud's GPU pool, with a tiny model of the catalogue's form, and its exporter's Service for the status."""
    catalog = yaml.safe_load((CHARTS / "llm-server/files/catalog.yaml").read_text())
    content = weights.read_bytes()
    file = {
        "uri": f"https://{WEIGHTS_HOST}/{weights.name}",
        "sha256": hashlib.sha256(content).hexdigest(),
        "sizeBytes": len(content),
    }
    entry = catalog["models"][0]
    assert entry["name"] == MODEL
    exporter = f"exporter-{cloud}-gpu"
    return merged(
        on(cloud, "gpu"),
        {
            "nodeSelector": {"test/cloud": cloud},
            "model": {"custom": entry | {"file": entry["file"] | file}, "slots": 2, "contextPerSlot": 1024},
            "drain": {"endpointSeconds": 1},
            "podDisruptionBudget": {"enabled": False},
            "ingress": {"enabled": True, "className": "nginx", "status": {"service": exporter}},
            "service": {"discovery": {"annotations": {"provider": cloud}}},
        },
        REAL,
    )


def router_values(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "image": ROUTER_IMAGE,
        "host": ROUTER_HOST,
        "config": config,
        "keysSecret": "llm-router-keys",
        "existingSecrets": {"environment": "llm-router-env"},
        "redis": {"secretName": "redis"},
        "discovery": {"namespaces": ["llm"]},
        "ingress": {"enabled": True, "className": "nginx"},
        "drain": {"endpointSeconds": 1},
        **REAL,
    }


def router_config(ca: Path) -> dict[str, Any]:
    return {
        "server": {"host": "0.0.0.0"},  # noqa: S104 - in a pod
        "admin": {"host": "127.0.0.1", "metrics": "0.0.0.0:9464", "metricsToken": "${METRICS_TOKEN}"},
        "access": {"apiKeysFile": "/etc/llm-router/keys.yaml"},
        "router": {"routingStrategy": "round_robin", "healthCheckInterval": "1s"},
        "state": {"backend": "redis", "url": "${REDIS_URL}"},
        "discovery": {
            "method": "kubernetes",
            "kubernetes": {"namespaces": ["llm"]},
            "template": {
                "sharedSecret": "${GATE_KEY}",
                "private": True,
                "tls": {"caFile": str(ca)},
                "scaling": {"minNodes": 0, "maxNodes": 1},
            },
        },
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("live")
    weights = tiny_models(print).small
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    certificate = authority.issue_cert(*hosts_of_pools().values(), ROUTER_HOST, WEIGHTS_HOST)
    with ExitStack() as stack:
        plane = stack.enter_context(running_control_plane(folder / "plane"))
        redis = stack.enter_context(running_redis(folder / "redis"))
        pem = certificate.private_key_and_cert_chain_pem.bytes()
        stack.enter_context(running_gateway(plane.api, folder / "gateway", pem, weights.parent))
        kubelet = stack.enter_context(Kubelet(plane.api, folder / "pods", ca))
        http = stack.enter_context(httpx.Client(timeout=5, trust_env=False, headers={"connection": "close"}))
        scene = Scene(plane, kubelet, ca, router_config(ca), {}, http)
        for name, more in (("tests", {}), ("limited", {"limits": {"requestsPerMinute": 4}})):
            scene.keys[name] = create(folder / "keys.yaml", name)
            content = yaml.safe_load((folder / "keys.yaml").read_text())
            content["keys"][-1] |= more
            (folder / "keys.yaml").write_text(yaml.safe_dump(content))
        scene.secret("llm-router-keys", "llm-router", {"keys.yaml": (folder / "keys.yaml").read_text()})
        scene.secret("llm-router-env", "llm-router", {"GATE_KEY": GATE_KEY})
        scene.secret("redis", "llm-router", {"url": redis.url})
        for namespace in ("llm", "llm-router"):
            scene.secret("metrics", namespace, {"token": METRICS_TOKEN})
        for cloud in CLOUDS:
            keys = {"current-id": f"{cloud}-gpu.1", "current": GATE_KEY, "next-id": f"{cloud}-gpu.2", "next": NEXT_KEY}
            scene.secret(f"{cloud}-gpu-gate", "llm", keys)
            scene.install(f"{cloud}-gpu", "llm-server", "llm", pool_values(cloud, weights))
        pools = [
            exported(cloud, "gpu") | {"service": f"{cloud}-gpu-llm-server", "nodeSelector": f"test/cloud={cloud},{GPU}"}
            for cloud in CLOUDS
        ]
        exporters = {"image": ROUTER_IMAGE, "pools": pools, "interval": "2s", "window": "10s"}
        scene.install("exporter", "exporters", "llm", exporters, REAL)
        scene.install("llm-router", "router", "llm-router", router_values(scene.config))
        yield scene
        assert kubelet.faults == []


def answering(scene: Scene) -> set[str]:
    """Who answers twelve questions, if all of them are answered."""
    with scene.client() as client:
        answers = [scene.chat(client) for _ in range(12)]
    if any(each.status_code != 200 for each in answers):
        return set()
    return {each.headers["x-llm-router-target"] for each in answers}


class Load:
    """Callers that ask one after the other until the context ends; each opens a connection for each question, and every
    second one streams."""

    def __init__(self, scene: Scene, callers: int = 4) -> None:
        self._scene = scene
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(bool(i % 2),)) for i in range(callers)]
        self.answers: list[httpx.Response] = []
        self.failed: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def targets_of(self, count: int) -> set[str]:
        """Who gives the next ``count`` answers."""
        start = len(self.answers)
        self._scene.plane.wait(f"{count} answers", lambda: len(self.answers) >= start + count)
        return {each.headers["x-llm-router-target"] for each in self.answers[start:]}

    def _ask(self, stream: bool) -> None:
        with self._scene.client() as client:
            while not self._stop.wait(0.2):
                try:
                    answer = self._scene.chat(client, stream=stream, max_tokens=64 if stream else 8)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                    continue
                whole = answer.text.rstrip().endswith("[DONE]") if stream else "choices" in answer.text
                if answer.status_code == 200 and whole:
                    self.answers.append(answer)
                else:
                    self.failed.append(f"{answer.status_code} {answer.text[-500:]}")


@contextmanager
def streaming_to(scene: Scene, pool: str) -> Iterator[list[str]]:
    """Long streams to one pool, one after the other until it takes no more; yields what did not end as it should."""
    broken: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with scene.client() as client:
            while not stop.is_set():
                answer = scene.chat(client, pool=pool, stream=True, max_tokens=900)
                if answer.status_code == 503:
                    stop.set()
                elif not answer.text.rstrip().endswith("[DONE]"):
                    broken.append(answer.text[-500:])

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield broken
    finally:
        stop.set()
        for caller in callers:
            caller.join()


def scraped(scene: Scene, namespace: str, service: str, port: int) -> list[str]:
    """The metrics of each ready pod behind the Service."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    slices = scene.plane.api.ask("GET", f"{path}?labelSelector=kubernetes.io/service-name={service}")["items"]
    endpoints = [each for part in slices for each in part["endpoints"] or () if each["conditions"]["ready"]]
    addresses = [each["addresses"][0] for each in endpoints]
    told = {"authorization": f"Bearer {METRICS_TOKEN}"}
    return [scene.http.get(f"http://{address}:{port}/metrics", headers=told).text for address in addresses]


def usable(scene: Scene, count: int) -> bool:
    """Whether every router has that many clusters from discovery."""
    said = scraped(scene, "llm-router", "llm-router", 9464)
    return bool(said) and all(
        f'llm_router_discovery_clusters{{method="kubernetes"}} {count}.0' in each for each in said
    )


def test_routers_find_the_pools_of_three_clouds_through_the_api_server(scene: Scene) -> None:
    """Weights downloaded and verified, a gate and llama.cpp in each pod, with a node of its own cloud."""
    scene.plane.wait(
        "two routers", lambda: len(scene.ready_pods("llm-router", "app.kubernetes.io/name=llm-router")) == 2
    )
    scene.plane.wait("three pools", lambda: usable(scene, 3))
    scene.plane.wait("their exporters, and answers of all", lambda: answering(scene) == EVERY_POOL)
    with Load(scene) as load:
        scene.plane.wait("answers of all", lambda: load.targets_of(9) == EVERY_POOL)
    assert load.failed == []


def test_exporters_count_what_the_gates_served_and_the_routers_read_it(scene: Scene) -> None:
    for pool in EVERY_POOL:

        def counted(pool: str = pool) -> bool:
            (text,) = scraped(scene, "llm", f"exporter-{pool}", 9400)
            tokens = re.search(rf'^llm_cluster_tokens_total{{pool="{pool}",type="output"}} (\S+)$', text, re.M)
            up = f'llm_cluster_servers{{pool="{pool}",state="up"}} 1.0' in text
            return up and f'llm_cluster_nodes{{pool="{pool}"}} 1.0' in text and bool(tokens and float(tokens[1]) > 0)

        scene.plane.wait(f"what {pool} served", counted)

        def priced(pool: str = pool) -> bool:
            costs = [
                re.search(
                    rf'^llm_router_cluster_cost_per_1k_tokens{{basis="capacity",cluster="{pool}".* (\S+)$', text, re.M
                )
                for text in scraped(scene, "llm-router", "llm-router", 9464)
            ]
            return all(found is not None and 0 < float(found[1]) < 1 for found in costs)

        scene.plane.wait(f"the cost of {pool} at the routers", priced)


def test_metrics_are_for_who_shows_the_token_that_the_monitors_name(scene: Scene) -> None:
    """Of every gate, exporter and router, at its pod's own address."""
    ports = {"llm-server": 9092, "exporters": 9400, "llm-router": 9464}
    for name, port in ports.items():
        pods = scene.plane.get("pods", "", "", "-A", "-l", f"app.kubernetes.io/name={name}")["items"]
        assert len(pods) >= 2
        for pod in pods:
            url = f"http://{pod['status']['podIP']}:{port}/metrics"
            tokens = (METRICS_TOKEN, "another-token-altogether")
            answers = [scene.http.get(url, headers={"authorization": f"Bearer {token}"}) for token in tokens]
            assert [each.status_code for each in [*answers, scene.http.get(url)]] == [200, 401, 401], url
            assert "# TYPE llm_" in answers[0].text


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_reclaimed_spot_node_drains_its_pool_and_fails_no_request(scene: Scene, cloud: Cloud) -> None:
    pool, node = f"{cloud}-gpu", name_of(cloud, "gpu")
    scene.plane.wait("all pools", lambda: usable(scene, 3))
    with Load(scene) as load, streaming_to(scene, pool) as broken:
        scene.plane.wait("answers of the pool", lambda: pool in load.targets_of(6))
        scene.plane.kubectl("taint", "node", node, "reclaimed=:NoExecute")
        try:
            scene.plane.wait("a drained target", lambda: usable(scene, 2))
            assert load.targets_of(12) == EVERY_POOL - {pool}
        finally:
            scene.plane.kubectl("taint", "node", node, "reclaimed=:NoExecute-")
        scene.plane.wait("answers of the pool again", lambda: pool in load.targets_of(6))
    assert load.failed == broken == []


def test_another_configuration_rolls_through_the_replicas_and_fails_no_request(scene: Scene) -> None:
    scene.plane.wait("all pools", lambda: usable(scene, 3))
    selector = "app.kubernetes.io/name=llm-router"
    before = set(scene.ready_pods("llm-router", selector))
    with Load(scene) as load:
        load.targets_of(6)
        scene.upgrade_router(router={"routingStrategy": "priority"})
        scene.plane.wait(
            "two other pods and no more",
            lambda: (
                len(now := set(scene.ready_pods("llm-router", selector))) == 2
                and not now & before
                and len(scene.plane.get("pods", "", "llm-router")["items"]) == 2
            ),
            deadline_s=120,
        )
        start = len(load.answers)
        load.targets_of(6)
    assert {each.headers["x-llm-router-reason"] for each in load.answers[:6]} == {"round_robin"}
    assert {each.headers["x-llm-router-reason"] for each in load.answers[start + 4 :]} == {"priority"}
    assert load.failed == []


def test_replicas_share_what_a_key_may_use(scene: Scene) -> None:
    with scene.client() as client:
        codes = Counter(scene.chat(client, "limited").status_code for _ in range(12))
    assert codes == {200: 4, 429: 8}


def test_a_pool_at_zero_answers_no_more_and_again_when_it_is_back(scene: Scene) -> None:
    scene.upgrade_router(router={"routingStrategy": "round_robin"})
    with Load(scene) as load:
        scene.plane.wait("answers of all", lambda: load.targets_of(9) == EVERY_POOL)
        scene.plane.kubectl("scale", "deployment", "aws-gpu-llm-server", "-n", "llm", "--replicas=0")
        scene.plane.wait("two pools", lambda: usable(scene, 2))
        assert load.targets_of(12) == EVERY_POOL - {"aws-gpu"}
        scene.plane.kubectl("scale", "deployment", "aws-gpu-llm-server", "-n", "llm", "--replicas=1")
        scene.plane.wait("answers of all again", lambda: load.targets_of(9) == EVERY_POOL)
    assert load.failed == []
