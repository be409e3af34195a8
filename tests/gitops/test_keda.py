"""From a request to a pod and back to none: a router's wish, scraped by Prometheus with the token, asked for by KEDA's
own operator, which sets the replicas of what the chart makes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llm_infra.clouds import CLOUDS
from tests.gitops.control_plane import ControlPlane, Object
from tests.gitops.keda import Keda, running_keda
from tests.gitops.metrics_api import RESOURCE, running_metrics
from tests.gitops.prometheus import Prometheus, running_prometheus
from tests.gitops.test_charts import NAMESPACE, installed, of, ready_addresses, running
from tests.router.ports import free_port
from tests.router.processes import Process, answers
from tests.router.test_router_process import COMMAND

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(300)]

TOKEN = "the-token-of-prometheus"
POOLS = tuple(f"{cloud}-gpu" for cloud in CLOUDS)
VOLUMES = {"cache": {"mode": "perReplica"}}
COOLDOWN_S = 5
SMALL = {"requests": {"cpu": "100m"}}
WANTED = 'max(llm_router_pool_wanted{pool="%s"})'


@dataclass
class Replica:
    """A stand-in of another replica of the router, whose wishes a test says, and of exporters; by pool."""

    wanted: dict[str, int] = field(default_factory=dict)
    queued: dict[str, int] = field(default_factory=dict)

    def metrics(self) -> bytes:
        said = {"llm_router_pool_wanted": self.wanted, "llm_cluster_queue_depth": self.queued}
        lines = [f'{name}{{pool="{pool}"}} {n}\n' for name, pools in said.items() for pool, n in pools.items()]
        return "".join(lines).encode()


@dataclass
class Wishes:
    """A router of three pools that are at zero, another replica, and a Prometheus that scrapes both."""

    url: str
    replica: Replica
    prometheus: Prometheus

    def ask(self, pool: str) -> int:
        """A request that only this pool may answer; the status."""
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"x-llm-target": pool}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, trust_env=False).status_code

    def wanted(self, pool: str) -> float | None:
        return self.prometheus.value(WANTED % pool)


def cluster(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "endpoint": f"http://127.0.0.1:{free_port()}",
        "authType": "none",
        "models": [{"name": "tiny", "contextLength": 2048}],
        "costPerHour": 0.25,
        "capacity": {"slots": 2, "decodeTokensPerSecond": 100, "prefillTokensPerSecond": 5000},
        "scaling": {"minNodes": 0, "maxNodes": 1, "coldStart": "3s", "idleTimeout": "2s"},
    }


@contextmanager
def serving(replica: Replica) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(replica.metrics())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def wishes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wishes]:
    folder = tmp_path_factory.mktemp("wishes")
    port, metrics = free_port(), free_port()
    admin = {"port": 0, "metrics": f"127.0.0.1:{metrics}", "metricsToken": "file:token"}
    config = {"server": {"port": port}, "admin": admin, "clusters": [cluster(pool) for pool in POOLS]}
    (folder / "token").write_text(TOKEN)
    (folder / "router.yaml").write_text(yaml.safe_dump(config))
    job: dict[str, Any] = {
        "job_name": "router",
        "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}],
        # As the chart's ServiceMonitor has it from the Secret.
        "authorization": {"type": "Bearer", "credentials_file": str(folder / "token")},
    }
    refused: dict[str, Any] = {"job_name": "refused", "static_configs": job["static_configs"]}
    replica = Replica()
    with ExitStack() as stack:
        other = {"job_name": "replica", "static_configs": [{"targets": [stack.enter_context(serving(replica))]}]}
        command: list[str | Path] = [COMMAND, "serve", "--config", folder / "router.yaml"]
        router = stack.enter_context(Process(command, folder / "router.log"))
        url = f"http://127.0.0.1:{port}"
        router.wait_until(lambda: answers(f"{url}/livez"))
        jobs = [job, refused, other]
        yield Wishes(url, replica, stack.enter_context(running_prometheus(folder / "prometheus", jobs)))


@pytest.fixture(scope="module")
def keda(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keda]:
    with running_keda(plane, tmp_path_factory.mktemp("keda") / "keda") as running_one:
        yield running_one


def scaling(wishes: Wishes, **keda: Any) -> dict[str, Any]:
    """KEDA, as quick as the chart lets it be."""
    quick = {"prometheusUrl": wishes.prometheus.url, "pollingSeconds": 5, "cooldownSeconds": COOLDOWN_S}
    return {"mode": "keda", "keda": quick | keda}


@contextmanager
def callers(wishes: Wishes) -> Iterator[None]:
    """Of every pool, who do not give up: a wish ends when nobody asks any more."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.5):
            for pool in POOLS:
                wishes.ask(pool)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def claimed(plane: ControlPlane, pod: Object) -> str:
    """The volume in which the pod's weights are."""
    claims = [each["persistentVolumeClaim"]["claimName"] for each in pod["spec"]["volumes"] if each["name"] == "models"]
    return str(plane.get("pvc", claims[0], NAMESPACE)["spec"]["volumeName"])


def test_prometheus_reads_the_wish_with_the_token_and_not_without_it(plane: ControlPlane, wishes: Wishes) -> None:
    plane.wait("both scrapes", lambda: wishes.prometheus.value('up{job="router"}') == 1)
    for pool in POOLS:
        assert wishes.wanted(pool) == 0
    assert plane.wait("a refused scrape", lambda: wishes.prometheus.value('up{job="refused"}') is not None)
    assert wishes.prometheus.value('up{job="refused"}') == 0


def test_pools_of_three_clouds_go_to_zero_come_back_for_requests(
    plane: ControlPlane, keda: Keda, wishes: Wishes
) -> None:
    """Each onto its own cloud's GPU node, with the weights that it had."""
    with ExitStack() as stack:
        selectors = {
            pool: stack.enter_context(
                installed(plane, pool, of(cloud, "gpu", autoscaling=scaling(wishes), delivery=VOLUMES))
            )
            for cloud, pool in zip(CLOUDS, POOLS, strict=True)
        }

        def all_run() -> dict[str, Object] | None:
            found = {pool: running(plane, selector) for pool, selector in selectors.items()}
            return {pool: pods[0] for pool, pods in found.items() if pods} if all(found.values()) else None

        def none_is_there() -> bool:
            return not any(plane.pods(NAMESPACE, selector) for selector in selectors.values())

        def zero() -> bool:
            sets = plane.get("statefulsets", "", NAMESPACE)["items"]
            return len(sets) == 3 and all(each["spec"]["replicas"] == 0 for each in sets) and none_is_there()

        plane.wait("nobody, since nobody is wanted", zero)
        assert {wishes.ask(pool) for pool in POOLS} == {503}, "nobody else may answer"
        with callers(wishes):
            first = plane.wait("all of them", all_run)
            for pool, pod in first.items():
                assert pod["spec"]["nodeName"].startswith(f"{pool}-")
                assert plane.wait("its endpoint", partial(ready_addresses, plane, f"{pool}-llm-server"))
        volumes = {pool: claimed(plane, pod) for pool, pod in first.items()}
        plane.wait("no wish any more", lambda: {wishes.wanted(pool) for pool in POOLS} == {0})
        plane.wait("nobody again", zero)
        with callers(wishes):
            second = plane.wait("all again", all_run)
        assert {pool: claimed(plane, pod) for pool, pod in second.items()} == volumes


def test_a_second_node_is_wanted_and_not_any_more(plane: ControlPlane, keda: Keda, wishes: Wishes) -> None:
    """From one on Kubernetes' own autoscaler decides: it asks KEDA's adapter, and that the operator."""
    wishes.replica.wanted["aws"] = 1
    values = of("aws", "cpu", autoscaling=scaling(wishes, minReplicas=1, queueDepth=2), resources=SMALL)
    with installed(plane, "aws", values) as selector:
        plane.wait("the first", lambda: running(plane, selector))
        wishes.replica.wanted["aws"] = 2
        plane.wait("a second one", lambda: running(plane, selector, 2))
        wishes.replica.wanted["aws"] = 1
        plane.wait("one again", lambda: running(plane, selector, 1))


def test_a_pool_that_always_runs_follows_queue_and_cpu_also_where_no_router_says_anything(
    plane: ControlPlane, keda: Keda, wishes: Wishes
) -> None:
    """As the overlays have it for CPU pools. A wish that is missing takes nothing from what load says, either way."""
    wishes.replica.queued["crowded"] = 0
    always = scaling(wishes, minReplicas=1, queueDepth=2, cpuUtilisation=80)
    values = of("azure", "cpu", pool={"name": "crowded"}, autoscaling=always, resources=SMALL)
    with running_metrics(plane, (RESOURCE,)) as figures, installed(plane, "crowded", values) as selector:
        figures.cpu = {"llama": "20m", "gate": "500m"}
        plane.wait("the first", lambda: running(plane, selector))
        wishes.replica.queued["crowded"] = 4
        plane.wait("a second one for those that wait", lambda: running(plane, selector, 2))
        wishes.replica.queued["crowded"] = 0
        plane.wait("one again", lambda: running(plane, selector, 1))
        figures.cpu = {"llama": "150m", "gate": "5m"}
        plane.wait("a second one for a busy server", lambda: running(plane, selector, 2))
        figures.cpu = {"llama": "20m", "gate": "5m"}
        plane.wait("one again", lambda: running(plane, selector, 1))


def test_a_pool_of_which_no_router_says_anything_stays_as_it_is(
    plane: ControlPlane, keda: Keda, wishes: Wishes
) -> None:
    """A lost router is no reason to end what runs."""
    values = of("gcp", "cpu", pool={"name": "unheard-of"}, autoscaling=scaling(wishes), resources=SMALL)
    with installed(plane, "unheard-of", values) as selector:
        plane.wait("its pod", lambda: running(plane, selector))
        (pod,) = plane.pods(NAMESPACE, selector)

        def asked_for_longer_than_the_cooldown() -> bool:
            lines = [line for line in keda.operator.output.splitlines() if '"name":"unheard-of-llm-server"' in line]
            moments = [datetime.fromisoformat(json.loads(line)["ts"]) for line in lines if "may be lost" in line]
            return bool(moments) and (moments[-1] - moments[0]).total_seconds() > 2 * COOLDOWN_S

        plane.wait("two cool-downs of looking in vain", asked_for_longer_than_the_cooldown)
        assert [each["metadata"]["uid"] for each in plane.pods(NAMESPACE, selector)] == [pod["metadata"]["uid"]]
