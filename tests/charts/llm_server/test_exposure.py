"""Who reaches a pool and how: Service, Gateway API, Ingress, certificates, keys, network policy, Prometheus."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import pytest
import yaml

from tests.charts.helm import Object, annotations_of, containers, pod_spec, render
from tests.charts.pools import MINIMAL

TLS: dict[str, Any] = {"gate": {"tls": {"enabled": True, "secretName": "aws-tls"}}}


def one(kind: str, *values: dict[str, Any]) -> Object:
    return render("llm-server", MINIMAL, *values).one(kind)


# ---------------------------------------------------------------- Service


def test_the_service_leads_to_the_gate_and_to_nothing_else() -> None:
    assert one("Service")["spec"]["ports"] == [
        {"name": "gate", "port": 8443, "targetPort": "gate", "appProtocol": "http"}
    ]
    assert one("Service", TLS)["spec"]["ports"][0]["appProtocol"] == "https"


def test_routers_find_the_pool_by_its_label_and_learn_what_it_is() -> None:
    service = one(
        "Service", {"pool": {"region": "us-west-2"}, "service": {"discovery": {"annotations": {"weight": 3}}}}
    )
    assert service["metadata"]["labels"]["llm-router/cluster"] == "true"
    assert annotations_of(service) == {
        "llm-router/name": "aws",
        "llm-router/endpoint": "https://aws.llm.example.com",
        "llm-router/models": "tinyllama-1.1b-chat",
        "llm-router/capabilities": "simple-tasks",
        "llm-router/region": "us-west-2",
        "llm-router/weight": "3",
    }


def test_a_pool_can_keep_to_itself() -> None:
    service = one("Service", {"service": {"discovery": {"enabled": False}, "annotations": {"team": "search"}}})
    assert "llm-router/cluster" not in service["metadata"]["labels"]
    assert annotations_of(service) == {"team": "search"}


def test_secrets_have_no_place_in_what_routers_discover() -> None:
    with pytest.raises(helm.HelmError, match="sharedSecret"):
        one("Service", {"service": {"discovery": {"annotations": {"sharedSecret": "x"}}}})


# ---------------------------------------------------------------- Gateway API


def test_nothing_is_exposed_unless_it_is_asked_for() -> None:
    assert not {"HTTPRoute", "Ingress"} & render("llm-server", MINIMAL).kinds()


def test_the_route_leads_the_host_to_the_gate() -> None:
    spec = one("HTTPRoute", {"route": {"enabled": True}, "host": "aws.llm.example.com:8443"})["spec"]
    assert spec["parentRefs"] == [{"name": "llm", "namespace": "platform"}]
    assert spec["hostnames"] == ["aws.llm.example.com"]
    assert spec["rules"][0]["backendRefs"] == [{"name": "pool-llm-server", "port": 8443}]


def test_a_stream_is_not_cut_before_the_router_would() -> None:
    timeouts = one("HTTPRoute", {"route": {"enabled": True}})["spec"]["rules"][0]["timeouts"]
    assert {int(value.removesuffix("s")) for value in timeouts.values()} == {610}


def test_the_exporter_answers_for_the_pool_when_it_has_no_pod() -> None:
    status = {"status": {"service": "exporter-aws"}}
    first, rest = one("HTTPRoute", {"route": {"enabled": True, **status}})["spec"]["rules"]
    assert first["matches"] == [{"path": {"type": "Exact", "value": "/cluster/status"}, "method": "GET"}]
    assert first["backendRefs"] == [{"name": "exporter-aws", "port": 8444}]
    assert rest["backendRefs"][0]["name"] == "pool-llm-server"
    paths = one("Ingress", {"ingress": {"enabled": True, **status}})["spec"]["rules"][0]["http"]["paths"]
    assert [(path["path"], path["pathType"]) for path in paths] == [("/cluster/status", "Exact"), ("/", "Prefix")]


def test_a_listener_of_the_gateway_can_be_named() -> None:
    gateway = {"name": "edge", "namespace": "gateways", "sectionName": "llm"}
    parent = one("HTTPRoute", {"route": {"enabled": True, "gateway": gateway}})["spec"]["parentRefs"]
    assert parent == [gateway]


def test_a_gate_with_tls_is_verified_by_the_gateway() -> None:
    values = {"route": {"enabled": True, "backendCa": {"name": "llm-ca"}}}
    policy = one("BackendTLSPolicy", TLS, values)["spec"]
    assert policy["validation"]["hostname"] == "aws.llm.example.com"
    assert policy["validation"]["caCertificateRefs"] == [{"group": "", "kind": "ConfigMap", "name": "llm-ca"}]
    assert policy["targetRefs"][0]["sectionName"] == "gate"
    assert "BackendTLSPolicy" not in render("llm-server", MINIMAL, values).kinds()


def test_a_gateway_that_cannot_verify_the_gate_is_refused() -> None:
    with pytest.raises(helm.HelmError, match="the gateway must know whom to trust"):
        render("llm-server", MINIMAL, TLS, {"route": {"enabled": True}})


# ---------------------------------------------------------------- Ingress


def test_any_ingress_class_gets_a_plain_ingress() -> None:
    values = {"ingress": {"enabled": True, "className": "traefik", "tlsSecret": "aws-cert", "annotations": {"a": "b"}}}
    ingress = one("Ingress", values)
    assert ingress["spec"]["ingressClassName"] == "traefik"
    assert ingress["spec"]["tls"] == [{"hosts": ["aws.llm.example.com"], "secretName": "aws-cert"}]
    assert annotations_of(ingress) == {"a": "b"}


def test_nginx_neither_buffers_streams_nor_ends_them_early() -> None:
    told = annotations_of(one("Ingress", {"ingress": {"enabled": True, "className": "nginx"}}))
    prefix = "nginx.ingress.kubernetes.io/"
    assert told[f"{prefix}proxy-buffering"] == "off"
    assert int(told[f"{prefix}proxy-read-timeout"]) > 600
    assert told[f"{prefix}backend-protocol"] == "HTTP"
    assert not any("snippet" in name for name in told)


def test_nginx_checks_clients_certificates_where_it_knows_their_ca() -> None:
    values = {"ingress": {"enabled": True, "className": "nginx", "clientCaSecret": "llm/clients"}}
    told = annotations_of(one("Ingress", TLS, values))
    assert told["nginx.ingress.kubernetes.io/auth-tls-secret"] == "llm/clients"
    assert told["nginx.ingress.kubernetes.io/auth-tls-verify-client"] == "on"
    assert told["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


# ---------------------------------------------------------------- certificates and keys


def test_cert_manager_fills_the_secret_that_the_gate_mounts() -> None:
    values = {"gate": {"tls": {"enabled": True, "certificate": {"enabled": True, "issuer": "internal"}}}}
    objects = render("llm-server", MINIMAL, values)
    certificate = objects.one("Certificate")["spec"]
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    assert {"name": "tls", "secret": {"secretName": certificate["secretName"]}} in spec["volumes"]
    assert certificate["issuerRef"]["name"] == "internal"
    assert certificate["dnsNames"] == ["aws.llm.example.com", "pool-llm-server.llm.svc"]


def test_tls_needs_a_secret_or_somebody_who_makes_one() -> None:
    with pytest.raises(helm.HelmError, match="secretName"):
        render("llm-server", MINIMAL, {"gate": {"tls": {"enabled": True}}})


def test_the_clouds_store_fills_all_entries_of_the_keys_secret() -> None:
    keys = {"secretName": "aws-gate", "external": {"enabled": True, "store": "cloud", "remoteKey": "prod/aws-gate"}}
    objects = render("llm-server", MINIMAL, {"gate": {"keys": keys}})
    secret = objects.one("ExternalSecret")["spec"]
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    needed = {each["valueFrom"]["secretKeyRef"]["key"] for each in containers(spec)["gate"]["env"]}
    assert {each["secretKey"] for each in secret["data"]} == needed
    assert {each["remoteRef"]["key"] for each in secret["data"]} == {"prod/aws-gate"}
    assert secret["target"]["name"] == "aws-gate"


# ---------------------------------------------------------------- network


def peers(rule: Object) -> list[str]:
    selectors = [each.get("namespaceSelector", {}).get("matchLabels", {}) for each in rule["from"]]
    return [each["kubernetes.io/metadata.name"] for each in selectors if each]


def test_only_gateway_and_router_reach_the_gate_and_only_prometheus_its_metrics() -> None:
    values = {"networkPolicy": {"gateway": ["edge", "llm-router"], "monitoring": ["monitoring"]}}
    spec = one("NetworkPolicy", values)["spec"]
    by_port = {rule["ports"][0]["port"]: peers(rule) for rule in spec["ingress"]}
    assert by_port == {"gate": ["edge", "llm-router"], "gate-metrics": ["monitoring"]}
    gate = next(rule for rule in spec["ingress"] if rule["ports"] == [{"port": "gate"}])
    assert {"podSelector": {"matchLabels": {"llm-platform/exporter-of": "aws"}}} in gate["from"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_outwards_a_pod_asks_for_names_and_weights_and_for_nothing_inside() -> None:
    names, weights = one("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert weights["ports"] == [{"port": 443}]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(weights["to"][0]["ipBlock"]["except"])


def test_a_pod_that_downloads_nothing_has_no_way_out() -> None:
    values = {"delivery": {"source": "claim", "claim": {"name": "weights", "file": "a.gguf"}}}
    assert len(one("NetworkPolicy", values)["spec"]["egress"]) == 1


def test_the_policy_can_be_left_to_somebody_else() -> None:
    assert "NetworkPolicy" not in render("llm-server", MINIMAL, {"networkPolicy": {"enabled": False}}).kinds()


# ---------------------------------------------------------------- Prometheus


def test_prometheus_finds_the_pods_and_the_port() -> None:
    objects = render(
        "llm-server", MINIMAL, {"monitoring": {"podMonitor": {"enabled": True, "labels": {"release": "kps"}}}}
    )
    monitor, pods = objects.one("PodMonitor"), objects.one("Deployment")["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
    ports = {port["name"] for port in containers(pods["spec"])["gate"]["ports"]}
    assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= ports
    assert monitor["metadata"]["labels"]["release"] == "kps"
    assert yaml.safe_dump(monitor).count("replacement: aws") == 1
