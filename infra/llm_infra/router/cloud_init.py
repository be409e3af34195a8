"""What a plain machine needs to become a router: a cloud-config document for any cloud's ``user data``.

Podman runs the container under systemd, read-only and without rights; Caddy in front of it gets the certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

CONFIG_DIR, SECRETS_DIR, ENVIRONMENT = "/etc/llm-router", "/etc/llm-router/secrets", "/etc/llm-router/environment"
#: The image's own user.
_USER = "10001:10001"

_UNIT = """\
[Unit]
Description=LLM router
Wants=network-online.target
After=network-online.target

[Service]
Restart=always
RestartSec=5
ExecStartPre=-/usr/bin/podman rm --force llm-router
ExecStart=/usr/bin/podman run --name llm-router --replace --network host --read-only --cap-drop all \\
  --security-opt no-new-privileges --env-file {environment} --env LLM_ROUTER_SECRETS_DIR=/run/secrets/llm-router \\
  --volume {config}:{config}:ro --volume {secrets}:/run/secrets/llm-router:ro {image}
ExecReload=/usr/bin/podman kill --signal HUP llm-router
ExecStop=/usr/bin/podman stop --time 60 llm-router
TimeoutStopSec=75

[Install]
WantedBy=multi-user.target
"""

_CADDYFILE = """\
{host} {{
  reverse_proxy 127.0.0.1:8080 {{
    flush_interval -1
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """``secrets``: file name → the key in it; ``environment``: what the configuration's ``${…}`` stand for."""

    host: str
    image: str
    config: str
    keys: str
    secrets: Mapping[str, str]
    environment: Mapping[str, str]


def document(machine: Machine) -> str:
    """Holds secrets: it is to be treated as one."""
    unit = _UNIT.format(environment=ENVIRONMENT, config=CONFIG_DIR, secrets=SECRETS_DIR, image=machine.image)
    environment = "".join(f"{name}={value}\n" for name, value in sorted(machine.environment.items()))
    files = [
        _file(f"{CONFIG_DIR}/router.yaml", machine.config, "0644"),
        _file(f"{CONFIG_DIR}/keys.yaml", machine.keys, "0400"),
        # Podman reads it, as root; the container sees the variables.
        _file(ENVIRONMENT, environment, "0400"),
        *(_file(f"{SECRETS_DIR}/{name}", key, "0400") for name, key in sorted(machine.secrets.items())),
        _file("/etc/systemd/system/llm-router.service", unit, "0644"),
        _file("/etc/caddy/Caddyfile", _CADDYFILE.format(host=machine.host), "0644"),
    ]
    config = {
        "package_update": True,
        "packages": ["podman", "caddy"],
        "write_files": files,
        "runcmd": [
            # Here and not with the files: those take owners by name only, and this one has none on the machine.
            ["chown", "-R", _USER, SECRETS_DIR, f"{CONFIG_DIR}/keys.yaml"],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "llm-router.service"],
            ["systemctl", "restart", "caddy.service"],
        ],
    }
    return "#cloud-config\n" + yaml.safe_dump(config, sort_keys=False, width=120)


def _file(path: str, content: str, permissions: str) -> dict[str, str]:
    return {"path": path, "content": content, "permissions": permissions, "owner": "root:root"}
