"""A Kubernetes API server as Pulumi's own provider uses one: by the stack's kubeconfig, with server-side apply.

The token comes from the command that the kubeconfig names, as it would on an operator's machine.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tests.infra.emulation import outputs
from tests.infra.engine.cloud import Refusal

#: Gets a chart's release as the stack describes it.
Install = Callable[[dict[str, Any]], None]


class RealCluster:
    """``environment`` holds the PATH on which the cloud's command is found; ``install`` does what Helm would."""

    def __init__(self, kubeconfig: str, environment: Mapping[str, str], install: Install) -> None:
        self.install = install
        config = json.loads(kubeconfig)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        # Where a kubeconfig names no CA, the certificate is a public one: here the test's.
        ca = cluster.get("certificate-authority-data") or outputs.ca_base64()
        trust = ssl.create_default_context(cadata=base64.b64decode(ca).decode())
        command = [user["exec"]["command"], *user["exec"]["args"]]
        answer = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
        token = json.loads(answer.stdout)["status"]["token"]
        self._http = httpx.Client(
            base_url=cluster["server"],
            verify=trust,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=30,
        )

    def close(self) -> None:
        self._http.close()

    def apply(self, wanted: dict[str, Any]) -> None:
        """Refuses fields that the server does not know, as well as all that it refuses itself."""
        answer = self._http.patch(
            self._path(wanted),
            params={"fieldManager": "pulumi", "fieldValidation": "Strict"},
            content=json.dumps(wanted),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        if not answer.is_success:
            raise Refusal(answer.json()["message"])

    def delete(self, unwanted: dict[str, Any], *, deadline_s: float = 120) -> None:
        """In the foreground, and waited for until every finalizer is through, as Pulumi's provider does it."""
        path, ends_at = self._path(unwanted), time.monotonic() + deadline_s
        self._http.delete(path, params={"propagationPolicy": "Foreground"})
        while self._http.get(path).status_code != httpx.codes.NOT_FOUND:
            if time.monotonic() > ends_at:
                raise Refusal(f"timed out waiting for {path} to be gone")
            time.sleep(0.2)

    def _path(self, wanted: dict[str, Any]) -> str:
        version = wanted["apiVersion"]
        base = "/api/v1" if version == "v1" else f"/apis/{version}"
        for _ in range(50):  # a kind that was just made takes a moment to be served
            listed = self._http.get(base)
            kinds = listed.json().get("resources", []) if listed.is_success else []
            found = next((k for k in kinds if k["kind"] == wanted["kind"] and "/" not in k["name"]), None)
            if found is not None:
                metadata = wanted["metadata"]
                within = f"/namespaces/{metadata.get('namespace', 'default')}" if found["namespaced"] else ""
                return f"{base}{within}/{found['name']}/{metadata['name']}"
        raise Refusal(f"no matches for kind {wanted['kind']} in {version}")
