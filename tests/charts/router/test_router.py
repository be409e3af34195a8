"""The router's chart: configuration in place, pods replaced one by one, reached by callers and Prometheus."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

from llm_router.admission.key_file import create
from llm_router.config.load import load
from tests.charts.helm import Object, Objects, annotations_of, containers, merged, pod_spec, render
from tests.charts.pools import ROUTER_IMAGE

EXISTING: dict[str, Any] = {
    "image": ROUTER_IMAGE,
    "existingSecrets": {
        "config": "llm-router-config",
        "gateKeys": "llm-router-gate-keys",
        "environment": "llm-router-environment",
    },
}
CONFIG: dict[str, Any] = {
    "server": {"host": "0.0.0.0"},  # noqa: S104 - in a pod
    "admin": {"metrics": "0.0.0.0:9464"},
    "access": {"apiKeysFile": "/etc/llm-router/keys.yaml"},
    "clusters": [{"name": "aws", "endpoint": "https://aws.llm.example.com", "sharedSecret": "secret:aws-gate-key"}],
}
OWN: dict[str, Any] = {"image": ROUTER_IMAGE, "config": CONFIG, "keysSecret": "llm-router-keys"}


def rendered(*values: dict[str, Any]) -> Objects:
    return render("router", *(values or (EXISTING,)), release="llm-router", namespace="llm-router")


def deployment(*values: dict[str, Any]) -> Object:
    return rendered(*values).one("Deployment")


def pod(*values: dict[str, Any]) -> Object:
    spec = pod_spec(deployment(*values))
    assert spec is not None
    return spec


def router(*values: dict[str, Any]) -> Object:
    return containers(pod(*values))["router"]


# ---------------------------------------------------------------- configuration


def test_the_secrets_of_the_stack_are_mounted_where_the_configuration_looks() -> None:
    container = router()
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod()["volumes"]}
    assert mounts["config"] == "/etc/llm-router"
    assert container["args"] == ["serve", "--config", "/etc/llm-router/router.yaml"]
    assert volumes["config"]["secret"]["secretName"] == "llm-router-config"
    assert volumes["gate-keys"]["secret"]["secretName"] == "llm-router-gate-keys"
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["LLM_ROUTER_SECRETS_DIR"] == mounts["gate-keys"]
    assert container["envFrom"] == [{"secretRef": {"name": "llm-router-environment"}}]


def test_the_router_takes_the_configuration_that_stands_in_the_values(tmp_path: Path) -> None:
    text = rendered(OWN).one("ConfigMap")["data"]["router.yaml"]
    create(tmp_path / "keys.yaml", "alice")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "aws-gate-key").write_text(base64.b64encode(bytes(range(32))).decode())
    (tmp_path / "router.yaml").write_text(text.replace("/etc/llm-router", str(tmp_path)))
    loaded = load(str(tmp_path / "router.yaml"), {"LLM_ROUTER_SECRETS_DIR": str(tmp_path / "keys")})
    ports = {port["name"]: port["containerPort"] for port in router(OWN)["ports"]}
    assert loaded.config.server.port == ports["http"]
    assert loaded.config.admin.metrics == f"0.0.0.0:{ports['metrics']}"


def test_configuration_and_keys_are_one_folder_wherever_they_come_from() -> None:
    volume = next(each for each in pod(OWN)["volumes"] if each["name"] == "config")
    assert volume["projected"]["sources"] == [
        {"configMap": {"name": "llm-router"}},
        {"secret": {"name": "llm-router-keys"}},
    ]


def template_annotations(*values: dict[str, Any]) -> dict[str, str]:
    return annotations_of(deployment(*values)["spec"]["template"])


def test_another_configuration_replaces_the_pods() -> None:
    changed = {"config": {"router": {"routingStrategy": "cost"}}}
    assert template_annotations(OWN)["checksum/config"] != template_annotations(OWN, changed)["checksum/config"]
    assert template_annotations(EXISTING, {"configChecksum": "1"}) != template_annotations(EXISTING)


def test_pods_are_replaced_one_by_one_and_only_by_ready_ones() -> None:
    spec = deployment()["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert router()["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    assert pod()["terminationGracePeriodSeconds"] > 120 + 5


@pytest.mark.parametrize(
    "values",
    [
        {"image": ROUTER_IMAGE},
        EXISTING | {"config": CONFIG},
        EXISTING | {"image": {"repository": "llm-router", "tag": "1"}},
        EXISTING | {"replicas": 0},
        EXISTING | {"existingSecrets": {"config": "c", "keys": "k"}},
    ],
)
def test_what_is_half_said_or_said_twice_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmValuesError):
        rendered(values)


# ---------------------------------------------------------------- replicas


def test_two_run_by_default_and_one_of_them_stays() -> None:
    objects = rendered()
    assert objects.one("Deployment")["spec"]["replicas"] == 2
    assert objects.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_single_one_may_be_drained() -> None:
    assert rendered(EXISTING, {"replicas": 1}).of("PodDisruptionBudget") == []


def test_the_autoscaler_owns_the_number() -> None:
    objects = rendered(EXISTING, {"autoscaling": {"enabled": True, "maxReplicas": 4}})
    spec = objects.one("HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in objects.one("Deployment")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    assert spec["scaleTargetRef"]["name"] == objects.one("Deployment")["metadata"]["name"]
    with pytest.raises(helm.HelmError, match="minReplicas is above maxReplicas"):
        rendered(EXISTING, {"autoscaling": {"enabled": True, "minReplicas": 9}})


def test_redis_is_a_variable_that_the_configuration_names() -> None:
    values = {"redis": {"secretName": "redis", "key": "uri", "port": 6380}}
    env = {each["name"]: each for each in router(EXISTING, values)["env"]}
    assert env["REDIS_URL"]["valueFrom"]["secretKeyRef"] == {"name": "redis", "key": "uri"}
    ports = [rule["ports"] for rule in rendered(EXISTING, values).one("NetworkPolicy")["spec"]["egress"]]
    assert [{"port": 6380}] in ports


def test_discovery_gets_what_it_watches_in_the_namespaces_that_are_named_and_a_token_only_then() -> None:
    assert pod()["automountServiceAccountToken"] is False
    objects = rendered(EXISTING, {"discovery": {"namespaces": ["llm", "llm-eu"]}})
    spec = pod_spec(objects.one("Deployment"))
    assert spec is not None
    assert spec["automountServiceAccountToken"] is True
    assert {role["metadata"]["namespace"] for role in objects.of("Role")} == {"llm", "llm-eu"}
    for role in objects.of("Role"):
        assert {(rule["resources"][0], *rule["verbs"]) for rule in role["rules"]} == {
            ("services", "list", "watch"),
            ("endpointslices", "list", "watch"),
        }
    for binding in objects.of("RoleBinding"):
        assert binding["subjects"][0]["namespace"] == "llm-router"


# ---------------------------------------------------------------- ways in


def test_the_admin_listener_has_no_port() -> None:
    objects = rendered()
    assert {port["name"] for port in objects.one("Service")["spec"]["ports"]} == {"http", "metrics"}
    assert "9091" not in yaml.safe_dump(objects.one("Deployment"))


def test_a_route_needs_a_host_and_cuts_no_stream() -> None:
    with pytest.raises(helm.HelmError, match="name the host"):
        rendered(EXISTING, {"route": {"enabled": True}})
    spec = rendered(EXISTING, {"route": {"enabled": True}, "host": "llm.example.com"}).one("HTTPRoute")["spec"]
    assert spec["hostnames"] == ["llm.example.com"]
    assert int(spec["rules"][0]["timeouts"]["request"].removesuffix("s")) > 600


def test_an_ingress_needs_a_host_and_buffers_no_stream() -> None:
    with pytest.raises(helm.HelmError, match="name the host"):
        rendered(EXISTING, {"ingress": {"enabled": True}})
    values = {"ingress": {"enabled": True, "className": "nginx"}, "host": "llm.example.com"}
    told = annotations_of(rendered(EXISTING, values).one("Ingress"))
    assert told["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


def test_with_a_certificate_of_its_own_everybody_speaks_tls_to_it() -> None:
    values = {
        "tls": {"secretName": "cert"},
        "host": "llm.example.com",
        "route": {"enabled": True, "backendCa": {"name": "ca"}},
    }
    objects = rendered(EXISTING, values)
    probes = [router(EXISTING, values)[probe]["httpGet"]["scheme"] for probe in ("readinessProbe", "livenessProbe")]
    assert probes == ["HTTPS", "HTTPS"]
    assert objects.one("Service")["spec"]["ports"][0]["appProtocol"] == "https"
    assert objects.one("BackendTLSPolicy")["spec"]["validation"]["hostname"] == "llm.example.com"


def test_only_named_namespaces_call_and_only_prometheus_scrapes() -> None:
    values = {"networkPolicy": {"callers": ["edge", "apps"], "monitoring": ["monitoring"]}}
    spec = rendered(EXISTING, values).one("NetworkPolicy")["spec"]
    by_port = {
        rule["ports"][0]["port"]: [
            each["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            for each in rule["from"]
            if "namespaceSelector" in each
        ]
        for rule in spec["ingress"]
    }
    assert by_port == {"http": ["edge", "apps"], "metrics": ["monitoring"]}
    blocked = [peer["ipBlock"].get("except") for rule in spec["egress"] for peer in rule.get("to", [])]
    assert ["169.254.0.0/16"] in blocked


# ---------------------------------------------------------------- monitoring

MONITORED = {
    "monitoring": {"serviceMonitor": {"enabled": True}, "alerts": {"enabled": True}, "dashboard": {"enabled": True}}
}


def test_prometheus_finds_the_metrics_port() -> None:
    objects = rendered(EXISTING, MONITORED)
    monitor, service = objects.one("ServiceMonitor")["spec"], objects.one("Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}


TOKEN = {"monitoring": {"token": {"secretName": "llm-router-metrics", "key": "token"}}}


def test_prometheus_shows_the_token_that_the_router_gets() -> None:
    objects = rendered(EXISTING, MONITORED, TOKEN)
    (endpoint,) = objects.one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"] == {
        "type": "Bearer",
        "credentials": {"name": "llm-router-metrics", "key": "token"},
    }
    (variable,) = [each for each in router(EXISTING, TOKEN)["env"] if each["name"] == "METRICS_TOKEN"]
    assert variable["valueFrom"]["secretKeyRef"] == endpoint["authorization"]["credentials"]
    assert "ExternalSecret" not in objects.kinds(), "the Secret is there already"


def test_a_token_that_the_configuration_in_the_values_does_not_ask_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(helm.HelmError, match="metricsToken"):
        rendered(OWN, TOKEN)
    asks = {"config": {"admin": {"metricsToken": "${METRICS_TOKEN}"}}}
    text = rendered(OWN, TOKEN, asks).one("ConfigMap")["data"]["router.yaml"]
    assert yaml.safe_load(text)["admin"]["metricsToken"] == "${METRICS_TOKEN}"


def test_external_secrets_can_make_the_token_once() -> None:
    objects = rendered(EXISTING, merged(TOKEN, {"monitoring": {"token": {"generate": True}}}))
    password, secret = objects.one("Password"), objects.one("ExternalSecret")
    assert password["spec"]["secretKeys"] == ["token"]
    assert password["spec"]["length"] >= 32
    (source,) = secret["spec"]["dataFrom"]
    assert source["sourceRef"]["generatorRef"]["name"] == password["metadata"]["name"]
    assert source["sourceRef"]["generatorRef"]["apiVersion"] == password["apiVersion"]
    assert (secret["spec"]["target"]["name"], secret["spec"]["refreshPolicy"]) == ("llm-router-metrics", "CreatedOnce")


def test_the_rules_arrive_as_they_stand_in_the_file() -> None:
    text = Path("charts/router/files/alerts.yaml").read_text()
    assert rendered(EXISTING, MONITORED).one("PrometheusRule")["spec"] == yaml.safe_load(text)
    assert "$labels.cluster" in text


def test_grafanas_sidecar_finds_the_dashboard() -> None:
    dashboard = rendered(EXISTING, MONITORED).one("ConfigMap")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert yaml.safe_load(dashboard["data"]["llm-router.json"])["title"] == "LLM router"


def test_nothing_of_monitoring_is_there_unless_it_is_asked_for() -> None:
    assert not {"ServiceMonitor", "PrometheusRule", "ConfigMap"} & rendered().kinds()


def changed(section: str, **values: Any) -> dict[str, Any]:
    """``OWN`` with another section of the configuration."""
    return OWN | {"config": {**CONFIG, section: values}}


TLS = {"certFile": "/etc/llm-router-tls/tls.crt", "keyFile": "/etc/llm-router-tls/tls.key"}
ANYWHERE = "0.0.0.0"  # noqa: S104 - in a pod


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (changed("server", port=8080), "no probe arrives"),
        (changed("server", host="127.0.0.1"), "no probe arrives"),
        (changed("server", host=ANYWHERE, port=9000), "leads to 8080"),
        (OWN | {"keysSecret": ""}, "wants API keys"),
        (OWN | {"tls": {"secretName": "router-tls"}}, "does not use it"),
        (changed("server", host=ANYWHERE, tls=TLS), "name the Secret of its files"),
        (changed("admin", host="127.0.0.1") | {"monitoring": {"serviceMonitor": {"enabled": True}}}, "nobody listens"),
        (EXISTING | {"keysSecret": "llm-router-keys"}, "belongs to config"),
        (EXISTING | {"drain": {"endpointSeconds": 132}}, "leaves nothing"),
    ],
)
def test_values_with_which_it_would_not_serve_are_refused(values: dict[str, Any], word: str) -> None:
    with pytest.raises(helm.HelmError, match=word):
        rendered(values)


def test_the_same_values_put_right_are_taken() -> None:
    rendered(changed("server", host=ANYWHERE, port=8080, tls=TLS) | {"tls": {"secretName": "router-tls"}})
    rendered(OWN | {"monitoring": {"serviceMonitor": {"enabled": True}}})
    rendered(EXISTING | {"drain": {"endpointSeconds": 131}})
