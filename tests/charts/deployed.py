"""Every way in which the charts are deployed: what must hold of all of them is checked over these."""

from __future__ import annotations

from typing import Any

from tests.charts.helm import Objects, merged, render
from tests.charts.pools import BESIDE, CLOUDS, PLACES, ROUTER_IMAGE, exported, on

Release = tuple[str, tuple[dict[str, Any], ...]]

EXPOSED: dict[str, Any] = {
    "route": {"enabled": True, "backendCa": {"name": "llm-ca"}},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "pool-cert", "clientCaSecret": "llm/clients"},
    "gate": {"tls": {"enabled": True, "clientCertificates": True, "certificate": {"enabled": True}}},
    "monitoring": {"token": {"secretName": "llm-metrics"}, "podMonitor": {"enabled": True}},
}
KEYS_FROM_STORE: dict[str, Any] = {"gate": {"keys": {"external": {"enabled": True}}}}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "beside": BESIDE,
    "exposed": merged(EXPOSED, KEYS_FROM_STORE),
    "hpa": {"autoscaling": {"mode": "hpa", "hpa": {"minReplicas": 2, "queueDepth": {"enabled": True}}}},
    "zero": {"autoscaling": {"mode": "keda"}, "delivery": {"cache": {"mode": "perReplica"}}},
    "shared": {"delivery": {"cache": {"mode": "shared"}}, "replicas": 2},
    "image": {
        "delivery": {
            "source": "image",
            "image": {"reference": f"registry.example.com/weights@sha256:{'cd' * 32}", "file": "model.gguf"},
        }
    },
}

RELEASES: dict[str, Release] = {
    **{f"llm-server-{cloud}-{kind}": ("llm-server", (on(cloud, kind),)) for cloud, kind in PLACES},
    **{f"llm-server-{way}": ("llm-server", (on("aws", "cpu"), values)) for way, values in WAYS.items()},
}

EXPORTERS: dict[str, Any] = {
    "image": ROUTER_IMAGE,
    "monitoring": {
        "token": {"secretName": "llm-metrics", "generate": True},
        "serviceMonitor": {"enabled": True},
        "alerts": {"enabled": True},
    },
}
ROUTER: dict[str, Any] = {
    "image": ROUTER_IMAGE,
    "existingSecrets": {
        "config": "llm-router-config",
        "gateKeys": "llm-router-gate-keys",
        "environment": "llm-router-env",
    },
}
ROUTER_WITH_ALL: dict[str, Any] = {
    "image": ROUTER_IMAGE,
    "host": "llm.example.com",
    "config": {
        "server": {
            "host": "0.0.0.0",  # noqa: S104 - in a pod
            "port": 8080,
            "tls": {"certFile": "/etc/llm-router-tls/tls.crt", "keyFile": "/etc/llm-router-tls/tls.key"},
        },
        "admin": {"metrics": "0.0.0.0:9464", "metricsToken": "${METRICS_TOKEN}"},
        "clusters": [],
    },
    "keysSecret": "llm-router-keys",
    "autoscaling": {"enabled": True},
    "redis": {"secretName": "redis"},
    "discovery": {"namespaces": ["llm"]},
    "tls": {"secretName": "llm-router-tls"},
    "route": {"enabled": True, "backendCa": {"name": "llm-ca"}},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "router-cert"},
    "monitoring": {
        "token": {"secretName": "llm-router-metrics", "generate": True},
        "serviceMonitor": {"enabled": True},
        "alerts": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}
RELEASES |= {"router": ("router", (ROUTER,)), "router-with-all": ("router", (ROUTER_WITH_ALL,))}
RELEASES |= {
    f"exporters-{cloud}": ("exporters", (EXPORTERS, {"pools": [exported(cloud, "cpu"), exported(cloud, "gpu")]}))
    for cloud in CLOUDS
}

PLATFORM: dict[str, dict[str, Any]] = {
    cloud: {
        "cloud": cloud,
        "cluster": "llm-prod",
        "region": "us-central1",
        "domain": "example.com",
        "repo": {"url": "https://git.example.com/llm.git"},
        "identities": {"externalDns": "dns@example.com", "externalSecrets": "secrets@example.com"},
        "secretStore": "https://store.example.com",
        "project": "project",
        "resourceGroup": "group",
        "subscription": "subscription",
        "tenant": "tenant",
        "routerHost": "router.llm.example.com",
        "issuer": {"email": "ops@example.com"},
        "gateway": {"clientCa": "llm-clients"},
        "components": {"devicePlugin": {"enabled": cloud != "gcp"}},
    }
    for cloud in CLOUDS
}
RELEASES |= {
    f"platform-{part}-{cloud}": ("platform", (PLATFORM[cloud], {"part": part}))
    for cloud in CLOUDS
    for part in ("applications", "resources")
}


def rendered(release: str) -> Objects:
    name, values = RELEASES[release]
    return render(name, *values)
