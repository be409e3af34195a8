"""The gateways that are compared: how each is configured and started, one process or worker each.

All do the same job in front of the same stand-in: take chat requests on a loopback port, keep connections alive on
both sides, and send the upstream's API key in place of the caller's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from scripts.bench.machine import nginx_program


class Site(Struct, frozen=True, kw_only=True):
    """Where one gateway runs: its folder, its ports, and the upstream that it talks to."""

    folder: Path
    port: int
    admin_port: int
    upstream_url: str
    upstream_key: str
    key_file: Path
    """API keys of the router's callers."""


class Gateway(Struct, frozen=True):
    """``command`` writes what the gateway needs into its folder, and says how to start it."""

    about: str
    command: Callable[[Site], list[str | Path]]


_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  client_max_body_size 4m; client_body_buffer_size 256k;
  upstream standin {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://standin; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {key}";
    }}
  }}
}}
"""

_ROUTER = """
server: {{host: 127.0.0.1, port: {port}}}
admin: {{host: 127.0.0.1, port: {admin_port}}}
access: {{apiKeysFile: {key_file}}}
externalProviders:
"""

_PROVIDER = """
  - name: {name}
    type: openai-compatible
    baseUrl: {upstream}
    apiKey: {key}
    models: [{{name: bench, contextLength: 128000}}, {{name: bench-paced, contextLength: 128000}}]
    price: {{inputPer1k: {usd}, outputPer1k: {usd}}}
    healthCheck: {{enabled: false}}
"""

_PRICES = {"dear": 0.03, "cheap": 0.01, "middling": 0.02}


def _nginx(site: Site) -> list[str | Path]:
    file = site.folder / "nginx.conf"
    upstream = site.upstream_url.removeprefix("http://")
    file.write_text(_NGINX.format(folder=site.folder, port=site.port, upstream=upstream, key=site.upstream_key))
    return [nginx_program() or "nginx", "-e", site.folder / "error.log", "-c", file]


def _router(site: Site) -> list[str | Path]:
    """Every request is authorised by its key, and decided among three providers by price."""
    file = site.folder / "router.yaml"
    config = _ROUTER.format(port=site.port, admin_port=site.admin_port, key_file=site.key_file)
    for name, usd in _PRICES.items():
        config += _PROVIDER.format(name=name, upstream=site.upstream_url, key=site.upstream_key, usd=usd)
    file.write_text(config)
    return [sys.executable, "-m", "llm_router", "serve", "--config", file]


def _plain(*options: str) -> Callable[[Site], list[str | Path]]:
    def command(site: Site) -> list[str | Path]:
        where = ["--port", str(site.port), "--upstream", site.upstream_url, "--key", site.upstream_key]
        return [sys.executable, "-m", "scripts.bench.plain_proxy", *where, *options]

    return command


GATEWAYS: Mapping[str, Gateway] = {
    "nginx": Gateway("nginx as a reverse proxy, buffering off", _nginx),
    "plain": Gateway("Starlette and httpx, a proxy and nothing more", _plain()),
    "plain-aiohttp": Gateway("the same with aiohttp for httpx", _plain("--client", "aiohttp")),
    "plain-aiohttp-h11": Gateway("and h11 for httptools", _plain("--client", "aiohttp", "--http", "h11")),
    "router": Gateway("this router", _router),
}
DEFAULT = ("nginx", "plain", "router")
