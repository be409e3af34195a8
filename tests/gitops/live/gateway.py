"""The way in: a real nginx that follows Ingresses and EndpointSlices, as an ingress controller does."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gitops.live.network import GATEWAY, WEIGHTS_HOST
from tests.router.discovery.kube_server import ApiServer
from tests.router.processes import Process

FOLLOWED_EVERY_S = 0.2

_WHOLE = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 5m;
  proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 610s;
  proxy_set_header Connection ""; proxy_set_header Host $host;
  ssl_certificate {folder}/gateway.pem; ssl_certificate_key {folder}/gateway.pem;
  server {{ listen {address}:443 ssl; server_name {weights_host}; root {weights}; }}
{hosts}
}}
"""
_HOST = "  server {{ listen {address}:443 ssl; server_name {host};\n{locations}  }}\n"
Object = dict[str, Any]


@contextmanager
def running_gateway(api: ApiServer, folder: Path, certificate: bytes, weights: Path) -> Iterator[Process]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("there is no nginx: sudo apt-get install nginx-light")
    folder.mkdir()
    (folder / "gateway.pem").write_bytes(certificate)
    config = folder / "nginx.conf"
    config.write_text(_config(api, folder, weights))
    with Process([program, "-c", config, "-e", folder / "error.log"], folder / "nginx.log") as nginx:
        nginx.wait_until(lambda: (folder / "nginx.pid").exists())
        stop = threading.Event()

        def follow() -> None:
            while not stop.wait(FOLLOWED_EVERY_S):
                text = _config(api, folder, weights)
                if text != config.read_text():
                    config.write_text(text)
                    nginx.send(signal.SIGHUP)

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield nginx
        finally:
            stop.set()
            thread.join()


def _config(api: ApiServer, folder: Path, weights: Path) -> str:
    slices = api.ask("GET", "/apis/discovery.k8s.io/v1/endpointslices")["items"]
    services = api.ask("GET", "/api/v1/services")["items"]
    names = {
        (each["metadata"]["namespace"], each["metadata"]["name"], port["port"]): port.get("name")
        for each in services
        for port in each["spec"]["ports"]
    }
    upstreams: dict[str, str] = {}
    hosts = []
    for ingress in api.ask("GET", "/apis/networking.k8s.io/v1/ingresses")["items"]:
        namespace = ingress["metadata"]["namespace"]
        for rule in ingress["spec"]["rules"]:
            locations = ""
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                port = service["port"].get("name") or names.get((namespace, service["name"], service["port"]["number"]))
                upstream = f"{namespace}-{service['name']}-{port}"
                servers = "".join(
                    f" server {each};" for each in sorted(_ready(slices, namespace, service["name"], port))
                )
                if servers:
                    upstreams[upstream] = f"  upstream {upstream} {{{servers} }}\n"
                then = f"proxy_pass http://{upstream}" if servers else "return 503"
                locations += f"    location {'= ' if path['pathType'] == 'Exact' else ''}{path['path']} {{ {then}; }}\n"
            hosts.append(_HOST.format(address=GATEWAY, host=rule["host"], locations=locations))
    both = "".join([*sorted(upstreams.values()), *sorted(hosts)])
    return _WHOLE.format(folder=folder, address=GATEWAY, weights_host=WEIGHTS_HOST, weights=weights, hosts=both)


def _ready(slices: list[Object], namespace: str, service: str, port: str | None) -> Iterator[str]:
    for part in slices:
        metadata = part["metadata"]
        if (metadata["namespace"], metadata["labels"].get("kubernetes.io/service-name")) != (namespace, service):
            continue
        number = next((each["port"] for each in part["ports"] or () if each["name"] == port), None)
        for endpoint in part["endpoints"] or ():
            if number and endpoint["conditions"].get("ready"):
                yield f"{endpoint['addresses'][0]}:{number}"
