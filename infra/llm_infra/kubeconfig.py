"""Kubeconfigs that ask the cloud's own command for a token: nothing in them is secret or gets old."""

from __future__ import annotations

import json
from collections.abc import Sequence


def with_command(
    *, cluster: str, server: str, ca_base64: str | None, command: str, args: Sequence[str], install_hint: str
) -> str:
    """``ca_base64`` is None where the server's certificate is a public one."""
    trust = {} if ca_base64 is None else {"certificate-authority-data": ca_base64}
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": command,
        "args": list(args),
        "installHint": install_hint,
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": {"server": server, **trust}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "current-context": cluster,
            "users": [{"name": cluster, "user": {"exec": plugin}}],
        },
        sort_keys=True,
    )
