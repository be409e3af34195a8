"""Kubernetes' own autoscaler on the charts' objects: it finds its metrics, and replicas follow them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_infra.clouds import CLOUDS, Cloud
from tests.gitops.control_plane import ControlPlane
from tests.gitops.metrics_api import Figures, running_metrics
from tests.gitops.test_charts import NAMESPACE, installed, of, running

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(300)]

HPA = {"mode": "hpa", "hpa": {"cpuUtilisation": 80, "queueDepth": {"enabled": True, "target": 2}}}
QUEUE = "llm_cluster_queue_depth"


@pytest.fixture(scope="module")
def figures(plane: ControlPlane) -> Iterator[Figures]:
    with running_metrics(plane) as running_ones:
        yield running_ones


def replicas(plane: ControlPlane, name: str) -> int:
    """What the autoscaler asks for."""
    return int(plane.get("hpa", name, NAMESPACE)["status"].get("desiredReplicas", 0))


def no_wait_before_going_down(plane: ControlPlane, name: str) -> None:
    """The five minutes that the chart gives answers to finish."""
    patch = '{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0,"policies":null}}}}'
    plane.kubectl("patch", "hpa", name, "-n", NAMESPACE, "--type=merge", "-p", patch)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_busy_server_gets_another_beside_it_and_an_idle_one_goes(
    plane: ControlPlane, figures: Figures, cloud: Cloud
) -> None:
    """llama-server is a sidecar: its share counts, not that of the gate."""
    figures.cpu = {"llama": "500m", "gate": "50m"}
    figures.external[QUEUE, f"pool={cloud}"] = "0"
    values = of(cloud, "cpu", autoscaling=HPA, resources={"requests": {"cpu": "500m"}})
    with installed(plane, "busy", values) as selector:
        plane.wait("a second one", lambda: running(plane, selector, 2))
        figures.cpu = {"llama": "20m", "gate": "500m"}
        no_wait_before_going_down(plane, "busy-llm-server")
        plane.wait("one again", lambda: running(plane, selector, 1))


def test_requests_that_wait_get_a_server_of_their_own(plane: ControlPlane, figures: Figures) -> None:
    figures.cpu = {"llama": "10m", "gate": "10m"}
    figures.external[QUEUE, "pool=azure"] = "4"
    values = of("azure", "cpu", autoscaling=HPA, resources={"requests": {"cpu": "500m"}})
    with installed(plane, "queue", values) as selector:
        plane.wait("a second one", lambda: running(plane, selector, 2))
        assert replicas(plane, "queue-llm-server") == 2


def test_without_metrics_replicas_stay_as_they_are(plane: ControlPlane, figures: Figures) -> None:
    figures.cpu = {}
    figures.external.clear()
    values = of("gcp", "cpu", autoscaling=HPA, resources={"requests": {"cpu": "500m"}})
    with installed(plane, "blind", values) as selector:

        def told() -> bool:
            conditions = plane.get("hpa", "blind-llm-server", NAMESPACE)["status"].get("conditions", [])
            return any((each["type"], each["status"]) == ("ScalingActive", "False") for each in conditions)

        plane.wait("the autoscaler's word", told)
        assert running(plane, selector, 1)
