"""A real Kubernetes API server of the tests' own, on an etcd of its own; no controllers, no nodes."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.router.discovery.etcd_server import EtcdServer, running_etcd
from tests.router.ports import free_port
from tests.router.processes import Process

SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
SERVICES = "/api/v1/namespaces/{}/services"
LABEL = {"llm-router/cluster": "true"}


@dataclass(frozen=True)
class ApiServer:
    """``admin`` may do everything; ``ca`` is the file of the CA that signed the server's certificate."""

    url: str
    ca: Path
    kubeconfig: Path
    admin: httpx.Client
    etcd: EtcdServer
    folder: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.admin.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    def namespace(self, name: str) -> str:
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def service(self, namespace: str, name: str, *, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        spec = {"ports": [{"name": "https", "port": 8443}], "clusterIP": "None"} | spec
        meta = {"name": name, "labels": LABEL, "annotations": annotations or {}}
        self.ask("POST", SERVICES.format(namespace), {"metadata": meta, "spec": spec})

    def slice(self, namespace: str, service: str, *endpoints: dict[str, Any], name: str | None = None) -> None:
        """Create or replace the Service's slice, as the EndpointSlice controller does when pods change."""
        path, name = SLICES.format(namespace), name or f"{service}-1"
        meta = {"name": name, "labels": {**LABEL, "kubernetes.io/service-name": service}}
        ports = [{"name": "https", "port": 8443, "protocol": "TCP"}]
        body = {"metadata": meta, "addressType": "IPv4", "endpoints": list(endpoints), "ports": ports}
        there = self.admin.get(f"{path}/{name}").status_code == 200
        self.ask("PUT" if there else "POST", f"{path}/{name}" if there else path, body)

    def delete(self, path: str, name: str) -> None:
        self.ask("DELETE", f"{path}/{name}")

    def token(self, namespace: str, account: str) -> str:
        """A real token of a new service account that may do nothing yet."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.ask("POST", path, {"metadata": {"name": account}})
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.ask("POST", f"{path}/{account}/token", asked)["status"]["token"])

    def allow(self, namespace: str, account: str) -> None:
        """The Role that discovery needs, bound to the account."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        verbs = ["get", "list", "watch"]
        rules = [
            {"apiGroups": [""], "resources": ["services"], "verbs": verbs},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
        ]
        self.ask("POST", f"{path}/roles", {"metadata": {"name": "llm-router"}, "rules": rules})
        subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "llm-router"}
        binding = {"metadata": {"name": "llm-router"}, "subjects": [subject], "roleRef": role}
        self.ask("POST", f"{path}/rolebindings", binding)


def endpoint(address: str, *, pod: str | None = None, **conditions: bool) -> dict[str, Any]:
    reference = {"targetRef": {"kind": "Pod", "name": pod}} if pod else {}
    return {"addresses": [address], "conditions": conditions or {"ready": True}, **reference}


@contextmanager
def running_api_server(folder: Path, *flags: str) -> Iterator[ApiServer]:
    program = tool("kube-apiserver")
    files = _files(folder)
    port = free_port()
    with running_etcd(folder / "etcd") as etcd:
        for i in range(5):
            etcd.put("/before", str(i))  # so that there are versions from before the server's memory
        command: list[str | Path] = [
            program,
            f"--etcd-servers={etcd.url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
        ]
        # Loopback is refused as an address to be published, and nobody here needs one.
        command += ["--advertise-address=10.0.0.1", "--endpoint-reconciler-type=none"]
        command += [f"--tls-cert-file={files['server.pem']}", f"--tls-private-key-file={files['server.pem']}"]
        command += [f"--client-ca-file={files['ca.pem']}", "--authorization-mode=RBAC", "--profiling=false"]
        command += [
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
        ]
        command += [f"--service-account-key-file={files['accounts.pub']}"]
        command += [f"--service-account-signing-key-file={files['accounts.key']}"]
        command += flags
        url = f"https://127.0.0.1:{port}"
        _write_kubeconfig(files, url)
        # A quarter of the time that it takes to start, for memory that it gives back.
        generous = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
        with Process(command, folder / "kube-apiserver.log", generous) as process:
            with _admin(files, url) as admin:
                process.wait_until(lambda: _ready(admin), deadline_s=90)
                yield ApiServer(url, files["ca.pem"], files["kubeconfig"], admin, etcd, folder)
            process.end(grace_s=10)  # before its etcd: without one it does not go


def tool(name: str) -> Path:
    """A program that `make tools` builds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = cache / "llm-router" / "tools" / "bin" / name
    if not program.exists():
        pytest.fail(f"there is no {program}: make tools")
    return program


def _files(folder: Path) -> dict[str, Path]:
    names = ("ca.pem", "server.pem", "admin.pem", "accounts.key", "accounts.pub", "kubeconfig")
    files = {name: folder / name for name in names}
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(files["ca.pem"]))
    ca.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(files["server.pem"]))
    admin = ca.issue_cert("admin.example", common_name="admin", organization_name="system:masters")
    admin.private_key_and_cert_chain_pem.write_to_path(str(files["admin.pem"]))
    key = ec.generate_private_key(ec.SECP256R1())
    files["accounts.key"].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files["accounts.pub"].write_bytes(public)
    return files


def _write_kubeconfig(files: dict[str, Path], url: str) -> None:
    """As kubectl would read it; the paths in it are relative to it."""
    user = {"client-certificate": "admin.pem", "client-key": "admin.pem"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": "ca.pem"}}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    files["kubeconfig"].write_text(yaml.safe_dump(config))


def _admin(files: dict[str, Path], url: str) -> httpx.Client:
    tls = ssl.create_default_context(cafile=str(files["ca.pem"]))
    tls.load_cert_chain(files["admin.pem"])
    return httpx.Client(base_url=url, verify=tls, timeout=10, trust_env=False)


def _ready(admin: httpx.Client) -> bool:
    time.sleep(0.1)
    try:
        return admin.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
