"""Who a process is to a Kubernetes API server: a pod's account, the keys of the configuration, or a kubeconfig."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from ..config.findings import show
from ..config.hosts import url_fault
from ..config.yaml_nodes import read_file
from ..errors import ConfigError, Problem
from .instances import host_in_url

ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
_PATH = ("discovery", "kubernetes")


@dataclass(frozen=True, slots=True)
class Access:
    url: str
    tls: ssl.SSLContext
    auth: httpx.Auth | None


class TokenFile(httpx.Auth):
    """A bearer token that the kubelet, or somebody else, keeps fresh: read for each request."""

    def __init__(self, path: str) -> None:
        self._path = path

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {Path(self._path).read_text().strip()}"
        yield request


class Token(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = self._value
        yield request


class Settings(Protocol):
    """The keys that say so, of whichever section of a configuration."""

    @property
    def kubeconfig(self) -> str | None: ...

    @property
    def context(self) -> str | None: ...

    @property
    def api_server(self) -> str | None: ...

    @property
    def token_file(self) -> str | None: ...

    @property
    def ca_file(self) -> str | None: ...


def access(settings: Settings, env: Mapping[str, str], account_dir: str = ACCOUNT_DIR) -> Access:
    """``account_dir`` holds ``token`` and ``ca.crt`` in a pod. Raises ``ConfigError`` where nothing says who and
    where, or a file does not hold what it should."""
    if settings.kubeconfig is not None:
        return _from_kubeconfig(settings.kubeconfig, settings.context)
    token, ca = f"{account_dir}/token", f"{account_dir}/ca.crt"
    token_file = settings.token_file or (token if os.path.exists(token) else None)
    ca_file = settings.ca_file or (ca if os.path.exists(ca) else None)
    return Access(
        url=settings.api_server or _own_api_server(env),
        tls=_context(cafile=ca_file),
        auth=None if token_file is None else TokenFile(token_file),
    )


def _own_api_server(env: Mapping[str, str]) -> str:
    host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise _refused("this process does not run in a Kubernetes pod: give kubeconfig, or apiServer and tokenFile")
    return f"https://{host_in_url(host)}:{port}"


# ---------------------------------------------------------------- kubeconfig


def _from_kubeconfig(path: str, context_name: str | None) -> Access:
    """What the file says of one context: server, CA, and a token or a client certificate. Relative paths in it count
    from its own directory, as kubectl has it."""
    data = dict(read_file(path).data)
    chosen = context_name or str(data.get("current-context") or "")
    context = _named(data, "contexts", chosen, "context")
    cluster = _named(data, "clusters", str(context.get("cluster")), "cluster")
    user = _named(data, "users", str(context.get("user")), "user")
    server = str(cluster.get("server") or "")
    fault = url_fault(server, private=False)
    if fault:
        raise _refused(f"the server of {path}: {fault}")
    for key in ("exec", "auth-provider", "username"):
        if key in user:
            raise _refused(f"{path} authenticates by {key}, which is no token or client certificate: make a token")
    files = _Files(os.path.dirname(os.path.abspath(path)))
    tls = _context(cafile=files.path(cluster, "certificate-authority"), cadata=_data(cluster, "certificate-authority"))
    _load_certificate(tls, files, user)
    return Access(url=server, tls=tls, auth=_token(files, user))


@dataclass(frozen=True, slots=True)
class _Files:
    directory: str

    def path(self, section: Mapping[str, Any], key: str) -> str | None:
        value = section.get(key)
        return None if not value else os.path.join(self.directory, str(value))


def _named(data: Mapping[str, Any], section: str, name: str, inner: str) -> Mapping[str, Any]:
    for item in data.get(section) or ():
        if isinstance(item, Mapping) and item.get("name") == name:
            found = item.get(inner) or {}
            if isinstance(found, Mapping):
                return found
    raise _refused(f"the kubeconfig has no {inner} called {name!r}")


def _data(section: Mapping[str, Any], key: str) -> bytes | None:
    value = section.get(f"{key}-data")
    if not value:
        return None
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise _refused(f"{key}-data of the kubeconfig is not base64") from exc


def _token(files: _Files, user: Mapping[str, Any]) -> httpx.Auth | None:
    # kubectl's order: a file wins over a token beside it.
    if path := files.path(user, "tokenFile"):
        return TokenFile(path)
    return Token(str(user["token"])) if user.get("token") else None


def _load_certificate(tls: ssl.SSLContext, files: _Files, user: Mapping[str, Any]) -> None:
    certificate, key = _data(user, "client-certificate"), _data(user, "client-key")
    cert_file, key_file = files.path(user, "client-certificate"), files.path(user, "client-key")
    try:
        if certificate and key:
            # OpenSSL reads keys from files only; this one is gone as soon as it is read.
            with tempfile.NamedTemporaryFile() as both:
                both.write(certificate + b"\n" + key)
                both.flush()
                tls.load_cert_chain(both.name)
        elif cert_file and key_file:
            tls.load_cert_chain(cert_file, key_file)
    except (OSError, ssl.SSLError) as exc:
        raise _refused(f"cannot load the client certificate of the kubeconfig: {exc}") from exc


def _context(*, cafile: str | None, cadata: bytes | None = None) -> ssl.SSLContext:
    try:
        if cadata is not None:
            return ssl.create_default_context(cadata=cadata.decode("ascii"))
        return ssl.create_default_context(cafile=cafile)
    except (OSError, ssl.SSLError, UnicodeDecodeError) as exc:
        raise _refused(f"cannot load the API server's CA: {exc}") from exc


def _refused(message: str) -> ConfigError:
    return ConfigError([Problem(show(_PATH), message)])
