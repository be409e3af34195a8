"""A stand-in of the two aggregated APIs that the autoscaler asks: metrics-server's, and that of an adapter for external
metrics. Figures are what the test says; everything that decides by them is real."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.charts.helm import containers
from tests.gitops.control_plane import ControlPlane

RESOURCE, EXTERNAL = "metrics.k8s.io", "external.metrics.k8s.io"
_KINDS = {RESOURCE: ("pods", "PodMetrics"), EXTERNAL: ("externalmetrics", "ExternalMetricValueList")}


@dataclass
class Figures:
    """``cpu`` by container, the same in every pod; ``external`` by metric and label selector."""

    plane: ControlPlane
    cpu: dict[str, str] = field(default_factory=dict)
    external: dict[tuple[str, str], str] = field(default_factory=dict)

    def answer(self, path: str, selector: str) -> dict[str, Any] | None:
        _, _, group, _, *rest = path.split("/")
        head = {"apiVersion": f"{group}/v1beta1", "metadata": {}}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if not rest:
            name, kind = _KINDS[group]
            resource = {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{group}/v1beta1",
                "resources": [resource],
            }
        _, namespace, what = rest
        if group == RESOURCE:
            items = [self._used(pod, now) for pod in self.plane.pods(namespace, selector)]
            return head | {"kind": "PodMetricsList", "items": items}
        value = self.external.get((what, selector))
        item: dict[str, Any] = {"metricName": what, "metricLabels": {}, "timestamp": now, "value": value}
        return None if value is None else head | {"kind": "ExternalMetricValueList", "items": [item]}

    def _used(self, pod: dict[str, Any], now: str) -> dict[str, Any]:
        names = [name for name in containers(pod["spec"]) if name in self.cpu]
        usage = [{"name": name, "usage": {"cpu": self.cpu[name], "memory": "100Mi"}} for name in names]
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "labels")}
        return {"metadata": metadata, "timestamp": now, "window": "15s", "containers": usage}


@contextmanager
def running_metrics(plane: ControlPlane, groups: tuple[str, ...] = (RESOURCE, EXTERNAL)) -> Iterator[Figures]:
    figures = Figures(plane)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            said = figures.answer(asked.path.rstrip("/"), parse_qs(asked.query).get("labelSelector", [""])[0])
            body = json.dumps(said or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}).encode()
            self.send_response(404 if said is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(tls)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with registered(plane, server.server_address[1], groups):
                yield figures
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def registered(plane: ControlPlane, port: int, groups: Sequence[str]) -> Iterator[None]:
    """The API server passes requests for these groups on to ``https://localhost:port``: to a Service that is a name."""
    where = {"name": "metrics", "namespace": "kube-system"}
    service = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    shared = {"version": "v1beta1", "insecureSkipTLSVerify": True, "groupPriorityMinimum": 100, "versionPriority": 100}
    services = [
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1beta1.{group}"},
            "spec": shared | {"group": group, "service": where | {"port": port}},
        }
        for group in groups
    ]
    plane.apply([{"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": service}, *services])
    names = [f"apiservice/v1beta1.{group}" for group in groups]
    try:
        plane.kubectl("wait", "--for=condition=Available", *names, "--timeout=180s")
        yield
    finally:
        plane.kubectl("delete", *names)
