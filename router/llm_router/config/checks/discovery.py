"""The settings of discovery go together, and nothing secret goes over an open wire."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Path
from ..hosts import api_server_fault, url_fault
from ..schema import ClusterTemplate
from .draft import Draft

_METHODS = ("kubernetes", "consul", "etcd")


def sections_fit_the_method(draft: Draft) -> Iterator[Finding]:
    settings = draft.config.discovery
    for method in _METHODS:
        if method != settings.method and getattr(settings, method) is not None:
            message = f"has no meaning with method {settings.method}: remove it, or set method: {method}"
            yield Finding(("discovery", method), message)
    if settings.method == "static" and settings.template != ClusterTemplate():
        yield Finding(("discovery", "template"), "is for clusters that are found, and static finds none: remove it")
    if settings.method == "consul" and settings.consul is None:
        yield Finding(("discovery", "consul"), "missing: name the service whose instances are clusters")


def addresses_are_sane(draft: Draft) -> Iterator[Finding]:
    """A token or password is as good as open on plain http."""
    settings = draft.config.discovery
    addresses: list[tuple[Path, str, bool]] = []
    if settings.kubernetes is not None and settings.kubernetes.api_server is not None:
        fault = api_server_fault(settings.kubernetes.api_server)
        if fault:
            yield Finding(("discovery", "kubernetes", "apiServer"), fault)
    if settings.consul is not None:
        addresses.append((("consul", "address"), settings.consul.address, settings.consul.private))
    if settings.etcd is not None:
        private = settings.etcd.private
        addresses += [(("etcd", "endpoints", i), url, private) for i, url in enumerate(settings.etcd.endpoints)]
    for path, url, private in addresses:
        fault = url_fault(url, private=private)
        if fault:
            yield Finding(("discovery", *path), fault)


def kubernetes_access_is_one(draft: Draft) -> Iterator[Finding]:
    """Either a kubeconfig says it all, or the keys here do, or the pod that the router runs in."""
    settings = draft.config.discovery.kubernetes
    if settings is None:
        return
    given = {"apiServer": settings.api_server, "tokenFile": settings.token_file, "caFile": settings.ca_file}
    for key, value in given.items():
        if value is not None and settings.kubeconfig is not None:
            yield Finding(("discovery", "kubernetes", key), "the kubeconfig says that: keep one of the two")
    if settings.context is not None and settings.kubeconfig is None:
        yield Finding(("discovery", "kubernetes", "context"), "is a kubeconfig's: give the kubeconfig too")


def certificates_are_whole(draft: Draft) -> Iterator[Finding]:
    etcd = draft.config.discovery.etcd
    if etcd is not None and etcd.tls is not None and (etcd.tls.cert_file is None) != (etcd.tls.key_file is None):
        missing = "certFile" if etcd.tls.cert_file is None else "keyFile"
        yield Finding(("discovery", "etcd", "tls", missing), "missing: certificate and key go together")


def passwords_have_users(draft: Draft) -> Iterator[Finding]:
    etcd = draft.config.discovery.etcd
    if etcd is not None and (etcd.user is None) != (etcd.password is None):
        missing = "user" if etcd.user is None else "password"
        yield Finding(("discovery", "etcd", missing), "missing: user and password go together")
