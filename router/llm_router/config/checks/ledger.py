"""Where records are kept, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from ..findings import Finding, Path, quote
from ..hosts import is_loopback
from .draft import Draft

URL: Path = ("ledger", "url")
BACKENDS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "redis": "redis",
    "rediss": "redis",
}
"""The scheme of a ledger's URL → what keeps it."""
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
"""The modes of libpq that never go on without TLS."""


def backend_of(url: str) -> str | None:
    return BACKENDS.get(url.partition(":")[0])


def fault_of(url: str) -> str | None:
    """What is wrong with a ledger's URL, and what to do; it names no secret."""
    scheme, colon, _ = url.partition("://")
    if not colon or scheme not in BACKENDS:
        shown = quote(scheme) if colon else "this"
        return f"{shown} is no ledger's URL: it starts with sqlite:///, postgresql://, redis:// or rediss://"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "this is no URL: percent-encode what stands for itself in user name and password"
    if scheme == "sqlite" and (parts.netloc or parts.query or parts.path.strip("/") in ("", ":memory:")):
        return "name a file and nothing else: sqlite:///ledger.sqlite beside this one, sqlite:////var/lib/llm-router/ledger.sqlite"
    return None


def password_of(url: str) -> str | None:
    """The only secret in a ledger's URL, ``None`` where there is none."""
    try:
        return urlsplit(url).password or None
    except ValueError:
        return url


def url_is_understood(draft: Draft) -> Iterator[Finding]:
    url = draft.config.ledger.url
    fault = None if url is None else fault_of(url)
    if fault is not None:
        yield Finding(URL, fault)


def nobody_reads_along(draft: Draft) -> Iterator[Finding]:
    """What a ledger holds, and the password to it, is for the operator alone."""
    ledger = draft.config.ledger
    if ledger.url is None or ledger.private or fault_of(ledger.url) is not None:
        return
    url = urlsplit(ledger.url)
    query = parse_qs(url.query)
    # Redis clients take the host from before the query only.
    elsewhere = [] if url.scheme == "redis" else [*query.get("host", ()), *query.get("hostaddr", ())]
    hosts = elsewhere or [url.hostname or "localhost"]
    if all(host.startswith("/") or is_loopback(host) for host in hosts):  # a directory is that of a socket
        return
    or_private = "or say private: true for a network of your own"
    if url.scheme == "redis":
        yield Finding(URL, f"without TLS on loopback only: use rediss, {or_private}")
    if backend_of(ledger.url) == "postgresql" and query.get("sslmode", [""])[-1] not in _ENCRYPTED:
        yield Finding(URL, f"may go on without TLS, which is for loopback only: add ?sslmode=verify-full, {or_private}")


def retention_fits_the_store(draft: Draft) -> Iterator[Finding]:
    ledger, path = draft.config.ledger, ("ledger", "retention")
    if ledger.url is None and ledger.retention is not None:
        yield Finding(path, "a ledger in memory ends with the router: remove it, or say in ledger.url where records go")
    if ledger.url is not None and backend_of(ledger.url) == "redis" and ledger.retention is None:
        yield Finding(path, "a ledger in Redis fills its memory: say how long records are kept, such as 30d")
