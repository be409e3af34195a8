"""Who the router is to an API server."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml

from llm_router.config.scalars import FilePath
from llm_router.config.schema import KubernetesDiscovery
from llm_router.discovery.kube_access import Access, access
from llm_router.errors import ConfigError


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def sent(found: Access) -> str | None:
    """The authorization that a request would carry."""
    request = httpx.Request("GET", found.url)
    if found.auth is not None:
        next(found.auth.auth_flow(request))
    value: str | None = request.headers.get("authorization")
    return value


def trusted(found: Access) -> int:
    return found.tls.cert_store_stats()["x509_ca"]


def test_a_pod_finds_its_server_its_ca_and_its_token_which_may_change(tmp_path: Path, ca: trustme.CA) -> None:
    (tmp_path / "token").write_text("first\n")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    env = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    found = access(KubernetesDiscovery(), env, str(tmp_path))
    assert (found.url, sent(found), trusted(found)) == ("https://[fd00::1]:6443", "Bearer first", 1)
    (tmp_path / "token").write_text("second")
    assert sent(found) == "Bearer second"


def test_the_configuration_may_say_it_all(tmp_path: Path, ca: trustme.CA) -> None:
    (tmp_path / "t").write_text("mine")
    ca.cert_pem.write_to_path(str(tmp_path / "c"))
    settings = KubernetesDiscovery(
        api_server="https://k.example.com", token_file=FilePath(tmp_path / "t"), ca_file=FilePath(tmp_path / "c")
    )
    found = access(settings, {}, str(tmp_path / "nothing"))
    assert (found.url, sent(found), trusted(found)) == ("https://k.example.com", "Bearer mine", 1)


def test_outside_a_pod_somebody_has_to_say_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"discovery\.kubernetes: this process does not run in a .* pod: give"):
        access(KubernetesDiscovery(), {}, str(tmp_path))


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> KubernetesDiscovery:
    config = {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
            {"name": "there", "context": {"cluster": "c", "user": "nobody"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://k.example.com:6443"} | cluster}],
        "users": [{"name": "u", "user": user}],
    }
    (folder / "config").write_text(yaml.safe_dump(config))
    return KubernetesDiscovery(kubeconfig=FilePath(folder / "config"))


def test_a_kubeconfig_with_data_in_it(tmp_path: Path, ca: trustme.CA) -> None:
    def coded(blob: trustme.Blob) -> str:
        return base64.b64encode(blob.bytes()).decode()

    leaf = ca.issue_cert("client.example")
    user = {
        "client-certificate-data": coded(leaf.cert_chain_pems[0]),
        "client-key-data": coded(leaf.private_key_pem),
        "token": "mine",
    }
    settings = kubeconfig(tmp_path, user, **{"certificate-authority-data": coded(ca.cert_pem)})
    found = access(settings, {})
    assert (found.url, sent(found), trusted(found)) == ("https://k.example.com:6443", "Bearer mine", 1)
    assert found.tls.verify_mode == ssl.CERT_REQUIRED


def test_a_kubeconfig_with_files_beside_it(tmp_path: Path, ca: trustme.CA) -> None:
    ca.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "token").write_text("kept fresh")
    user = {"client-certificate": "both.pem", "client-key": "both.pem", "tokenFile": "token", "token": "stale"}
    found = access(kubeconfig(tmp_path, user, **{"certificate-authority": "ca.pem"}), {})
    assert (sent(found), trusted(found)) == ("Bearer kept fresh", 1)


@pytest.mark.parametrize(
    ("user", "cluster", "context", "words"),
    [
        ({"exec": {"command": "aws"}}, {}, None, "authenticates by exec, which is no token or client certificate"),
        ({}, {"server": "http://10.0.0.1"}, None, "plain http is accepted on loopback only"),
        ({}, {"certificate-authority-data": "%"}, None, "certificate-authority-data of the kubeconfig is not base64"),
        ({}, {"certificate-authority": "none.pem"}, None, "cannot load the API server's CA"),
        ({"client-certificate": "a", "client-key": "b"}, {}, None, "cannot load the client certificate"),
        ({}, {}, "there", "no user called 'nobody'"),
        ({}, {}, "nowhere", "no context called 'nowhere'"),
    ],
)
def test_what_a_kubeconfig_lacks_is_said(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], context: str | None, words: str
) -> None:
    settings = kubeconfig(tmp_path, user, **cluster)
    with pytest.raises(ConfigError, match=words):
        access(KubernetesDiscovery(kubeconfig=settings.kubeconfig, context=context), {})
