"""Judges hosts and URLs that an operator wrote, and the addresses that others resolved them to. It resolves nothing."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?", re.IGNORECASE)
_ODD_ADDRESS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?", re.IGNORECASE)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
# Those that are not link-local: AWS, Google, Alibaba, Oracle, and Azure's, which looks like any public address.
_METADATA_ADDRESSES = frozenset(
    map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener there: ``localhost``, ``127.0.0.0/8``, ``::1``.

    An empty host means every interface, and is not loopback.
    """
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return host.rstrip(".").lower() == "localhost"


def parse_address(text: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as host and port. Raises ``ValueError``."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"write {text!r} as [address]:port")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"write host:port, for example 127.0.0.1:8443, not {text!r}")
    return host, int(port)


def url_fault(url: str, *, private: bool) -> str | None:
    """What is wrong with an endpoint, and what to do; ``None`` if it may be used.

    Plain http is accepted for loopback, and elsewhere where ``private`` says that the operator means it.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        return "no URL: it holds a space, a backslash or a character outside ASCII"
    try:
        parts = urlsplit(url)
        _ = parts.port  # Only asking for the port checks it.
    except ValueError as error:
        return f"no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must be https://HOST (or http://HOST on loopback)"
    return _form_fault(url, parts) or host_fault(parts.hostname) or _plain_fault(parts, private)


def api_server_fault(url: str) -> str | None:
    """What is wrong with the address of a Kubernetes API server, which is sent a token."""
    if url_fault(url, private=True) is None and url_fault(url, private=False):
        return "plain http would show the token to the network: use https"
    return url_fault(url, private=False)


def host_fault(host: str) -> str | None:
    """What is wrong with a host that requests shall be sent to."""
    address = _address(host)
    if host.lower().rstrip(".") in _METADATA_NAMES:
        return "the cloud's metadata service is no target"
    if address is not None:
        return _never(address)
    if _ODD_ADDRESS.fullmatch(host):
        return "an address must be written as four decimal numbers, such as 10.0.0.1"
    return None if _HOST_NAME.fullmatch(host) else "the host is no host name: write it in ASCII (punycode)"


def resolved_fault(host: str, address: str, *, private: bool) -> str | None:
    """Why nothing may be sent to ``address``, which is what ``host`` of the configuration leads to; ``None`` if it may.

    A name leads to public addresses, ``localhost`` to loopback, and with ``private`` a name may lead to either and into
    private networks too. An address that was written as one has been judged by then, but for what is never a target.
    """
    found = _address(address)
    if found is None:
        return "no address"
    if (fault := _never(found)) is not None:
        return fault
    if private or _address(host) is not None or (found.is_loopback and is_loopback(host)):
        return None
    return None if _is_public(found) else "no public address: say private: true if that is meant"


def _form_fault(url: str, parts: SplitResult) -> str | None:
    if "@" in parts.netloc:
        return "must not hold credentials: give them as apiKey or sharedSecret"
    if "?" in url or "#" in url:
        return "must end with the path: remove the query and the fragment"
    return None


def _plain_fault(parts: SplitResult, private: bool) -> str | None:
    if parts.scheme == "http" and not private and not is_loopback(parts.hostname or ""):
        return "plain http is accepted on loopback only: use https, or say private: true for a network of your own"
    return None


def _never(address: IPv4Address | IPv6Address) -> str | None:
    """Why ``address`` is no target, whatever the operator says of it."""
    address = _carried(address)
    if address in _METADATA_ADDRESSES:
        return "the cloud's metadata service is no target"
    if address.is_unspecified:
        return "one listens on this address and sends to none: write 127.0.0.1 for this machine"
    odd = address.is_link_local or address.is_multicast or (isinstance(address, IPv4Address) and address.is_reserved)
    return "a link-local, multicast or reserved address is no target" if odd else None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    address = _carried(address)
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_reserved


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a translator or tunnel would send to, where ``address`` holds one (RFC 6052, RFC 3056)."""
    if isinstance(address, IPv4Address):
        return address
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.sixtofour or address


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
