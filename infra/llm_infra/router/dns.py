"""Where a router on a plain machine is found: the configuration of its host's records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..clouds import CLOUDS, Cloud
from ..errors import Problem
from ..router_fragment import HOST
from ..settings.reader import Reader

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """The cloud's zone that has the host. ``addresses`` is empty until the machine has one."""

    cloud: Cloud
    #: Its name in DNS, such as example.com.
    zone: str
    #: Azure's, that the zone is in; else empty.
    resource_group: str
    addresses: tuple[Address, ...]


def read(reader: Reader) -> Dns | None:
    """None where the operator writes the record."""
    cloud, zone = reader.optional("dnsCloud"), reader.optional("dnsZone") or ""
    group, texts = reader.optional("dnsResourceGroup") or "", reader.texts("addresses")
    if cloud is None:
        if zone or group or texts:
            reader.tell("dnsCloud", f"not set: name the cloud that has the host's zone, one of {', '.join(CLOUDS)}")
        return None
    known = next((name for name in CLOUDS if name == cloud), None)
    if known is None:
        reader.tell("dnsCloud", f"{cloud!r} is none of {', '.join(CLOUDS)}")
        return None
    addresses = dict.fromkeys(address for text in texts if (address := _address(reader, text)) is not None)
    return Dns(cloud=known, zone=zone, resource_group=group, addresses=tuple(addresses))


def problems(dns: Dns | None, host: str, delivery: str) -> Iterator[Problem]:
    if dns is None:
        return
    if delivery != "vm":
        message = f"set, but deliver is {delivery}: take it away (pulumi config rm dnsCloud); "
        yield Problem("dnsCloud", message + "in a cluster external-dns writes the host's records")
        return
    if not HOST.fullmatch(dns.zone):
        yield Problem("dnsZone", f"{dns.zone!r}: name the zone that {host or 'the host'} is in, such as example.com")
    elif not is_under(host, dns.zone):
        yield Problem("dnsZone", f"{host} is not in {dns.zone}: name the zone that it is in")
    if dns.cloud == "azure" and not dns.resource_group:
        yield Problem("dnsResourceGroup", f"not set: name the resource group that has the zone {dns.zone}")
    if dns.cloud != "azure" and dns.resource_group:
        yield Problem("dnsResourceGroup", f"{dns.cloud} knows no such thing: pulumi config rm dnsResourceGroup")


def is_under(host: str, zone: str) -> bool:
    """Whether it is a name in the zone, or the zone's own."""
    return f".{host}".endswith(f".{zone}")


def _address(reader: Reader, text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        reader.tell("addresses", f"{text!r} is not an address such as 198.51.100.7 or 2001:db8::7")
        return None
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        reader.tell("addresses", f"{text} is none that callers could reach: give the machine's public one")
        return None
    return address
