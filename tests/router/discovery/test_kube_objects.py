"""What Services and EndpointSlices say of clusters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llm_router.config.schema import KubernetesDiscovery
from llm_router.discovery.base import Instance
from llm_router.discovery.kube_objects import Service, Slice, instances

HTTPS = {"name": "https", "port": 8443}


def service(name: str = "llama", annotations: dict[str, str] | None = None, **spec: Any) -> Service:
    meta = {"name": name, "namespace": "llm", "annotations": annotations, "labels": {"llm-router/cluster": "true"}}
    return msgspec.convert({"metadata": meta, "spec": {"ports": [HTTPS], **spec}}, Service)


def part(*endpoints: Any, name: str = "llama-1", of: str = "llama", **more: Any) -> Slice:
    meta = {"name": name, "namespace": "llm", "labels": {"kubernetes.io/service-name": of}}
    return msgspec.convert({"metadata": meta, "endpoints": endpoints, "ports": [HTTPS], **more}, Slice)


def at(address: str, /, *pod: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions, **({"targetRef": {"name": pod[0]}} if pod else {})}


def found(services: list[Service], slices: list[Slice], **settings: Any) -> list[Instance]:
    return list(instances(services, slices, KubernetesDiscovery(**settings), "https"))


READY = {"ready": True, "serving": True, "terminating": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}
GONE = {"ready": False, "serving": False, "terminating": True}


def test_a_service_is_one_cluster_by_its_dns_name() -> None:
    (only,) = found([service()], [part(at("10.1.0.1", **READY), at("10.1.0.2", ready=False))])
    assert only.data == {"name": "llama.llm", "endpoint": "https://llama.llm.svc:8443"}
    assert not only.draining


@pytest.mark.parametrize(
    ("conditions", "there", "draining"),
    [
        ([], False, False),
        ([{"ready": False}], False, False),
        ([{}], True, False),
        ([READY, DRAINING], True, False),
        ([DRAINING, GONE], True, True),
        ([GONE], False, False),
        ([{"ready": False, "serving": True, "terminating": False}], False, False),
    ],
)
def test_a_service_is_there_while_somebody_is_ready_and_drains_while_the_last_ones_leave(
    conditions: list[dict[str, bool]], there: bool, draining: bool
) -> None:
    endpoints = [at(f"10.1.0.{i}", **condition) for i, condition in enumerate(conditions)]
    result = found([service()], [part(*endpoints)])
    assert bool(result) is there
    assert any(i.draining for i in result) is draining


def test_each_endpoint_can_be_a_cluster_named_as_its_pod() -> None:
    slices = [
        part(at("10.1.0.1", "pod-a", **READY), at("10.1.0.2", "pod-b", **DRAINING), at("10.1.0.3", "pod-c", **GONE)),
        part(at("fd00::1", "pod-a", **READY), at("fd00::4", **READY), name="llama-0", addressType="IPv6"),
    ]
    result = found([service()], slices, per="endpoint")
    assert [(i.data["name"].split("-")[:2], i.data["endpoint"], i.draining) for i in result] == [
        (["pod", "a.llm"], "https://10.1.0.1:8443", False),
        (["pod", "b.llm"], "https://10.1.0.2:8443", True),
        (["llama", "fd00"], "https://[fd00::4]:8443", False),
    ]


def test_annotations_say_more_than_labels_and_endpoints_share_them_but_for_name_and_address() -> None:
    annotations = {"llm-router/region": "eu-west-1", "llm-router/name": "west", "llm-router/weight": "5", "a/b": "c"}
    annotations["llm-router/endpoint"] = "https://west.example.com"
    one = service(annotations=annotations)
    slices = [part(at("10.1.0.1", "pod-a"))]
    assert found([one], slices)[0].data == {
        "name": "west",
        "endpoint": "https://west.example.com",
        "region": "eu-west-1",
        "weight": 5,
    }
    assert found([one], slices, per="endpoint")[0].data == {
        "name": "pod-a.llm",
        "endpoint": "https://10.1.0.1:8443",
        "region": "eu-west-1",
        "weight": 5,
    }


def test_an_external_name_is_a_cluster_somewhere_else() -> None:
    (only,) = found([service(type="ExternalName", externalName="llm.example.com")], [])
    assert only.data["endpoint"] == "https://llm.example.com:8443"


def test_the_port_is_the_one_asked_for_or_the_only_one_or_the_one_called_as_the_scheme() -> None:
    ports = [{"name": "metrics", "port": 9090}, {"name": "https", "port": 443}]
    slices = [part(at("10.1.0.1"))]

    def port(ports: list[dict[str, Any]], wanted: str | None = None) -> Any:
        only = found([service(ports=ports)], slices, port=wanted)[0]
        return only.fault or only.data["endpoint"].rsplit(":", 1)[1]

    assert port(ports[:1]) == "9090"
    assert port(ports) == "443"
    assert port(ports, "metrics") == port(ports, "9090") == "9090"
    assert "name one in discovery.kubernetes.port" in port(ports, "grpc")
    assert "metrics 9090, unnamed 1" in port([ports[0], {"port": 1}])
    assert "there are: none" in port([])


def test_slices_of_others_and_without_a_service_are_nobodys() -> None:
    assert found([service()], [part(at("10.1.0.1"), of="other"), msgspec.convert({"metadata": {}}, Slice)]) == []
    assert found([], [part(at("10.1.0.1"))]) == []
