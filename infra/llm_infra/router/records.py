"""The records of a router on a plain machine, in a zone that a cloud has. In a cluster external-dns writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pulumi
from pulumi_aws import route53
from pulumi_azure_native import dns as azure_dns
from pulumi_gcp import dns as cloud_dns

from ..component import Component
from .dns import Dns

#: A machine that is replaced is found within that.
TTL_S = 300


@dataclass(frozen=True, kw_only=True)
class RouterRecordsArgs:
    host: str
    dns: Dns

    @property
    def by_type(self) -> dict[str, list[str]]:
        """``A`` and ``AAAA``, where there are such."""
        found: dict[str, list[str]] = {}
        for address in sorted(self.dns.addresses, key=str):
            found.setdefault("A" if address.version == 4 else "AAAA", []).append(str(address))
        return found


class RouterRecords(Component):
    """Ends the program where the cloud has no such zone: a record nowhere is found by nobody."""

    def __init__(self, name: str, args: RouterRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        {"aws": self._route53, "gcp": self._cloud_dns, "azure": self._azure_dns}[args.dns.cloud](name, args)
        self.done(host=args.host)

    def _route53(self, name: str, args: RouterRecordsArgs) -> None:
        zone_id = _found("Route 53", args, lambda: [route53.get_zone(name=args.dns.zone, private_zone=False).zone_id])
        for kind, addresses in args.by_type.items():
            route53.Record(
                f"{name}-{kind.lower()}",
                zone_id=zone_id,
                name=args.host,
                type=kind,
                ttl=TTL_S,
                records=addresses,
                opts=self.own(),
            )

    def _cloud_dns(self, name: str, args: RouterRecordsArgs) -> None:
        def named() -> list[str | None]:
            zones = cloud_dns.get_managed_zones().managed_zones
            return [zone.name for zone in zones if (zone.dns_name, zone.visibility) == (f"{args.dns.zone}.", "public")]

        managed_zone = _found("Cloud DNS", args, named)
        for kind, addresses in args.by_type.items():
            cloud_dns.RecordSet(
                f"{name}-{kind.lower()}",
                managed_zone=managed_zone,
                name=f"{args.host}.",
                type=kind,
                ttl=TTL_S,
                rrdatas=addresses,
                opts=self.own(),
            )

    def _azure_dns(self, name: str, args: RouterRecordsArgs) -> None:
        def named() -> list[str | None]:
            return [azure_dns.get_zone(resource_group_name=args.dns.resource_group, zone_name=args.dns.zone).name]

        zone_name = _found("Azure DNS", args, named)
        for kind, addresses in args.by_type.items():
            azure_dns.RecordSet(
                f"{name}-{kind.lower()}",
                resource_group_name=args.dns.resource_group,
                zone_name=zone_name,
                relative_record_set_name=args.host.removesuffix(args.dns.zone).rstrip(".") or "@",
                record_type=kind,
                ttl=TTL_S,
                a_records=[azure_dns.ARecordArgs(ipv4_address=text) for text in addresses] if kind == "A" else None,
                aaaa_records=(
                    [azure_dns.AaaaRecordArgs(ipv6_address=text) for text in addresses] if kind == "AAAA" else None
                ),
                opts=self.own(),
            )


def _found(service: str, args: RouterRecordsArgs, question: Callable[[], Iterable[str | None]]) -> str:
    """What the service calls the zone."""
    zone, cloud = args.dns.zone, args.dns.cloud
    try:
        names = sorted(filter(None, question()))
    except Exception as error:  # The engine's errors have no type of their own.
        said = str(error).rpartition("returned an error: ")[2]
        message = (
            f"does not tell of a public zone {zone} ({said}): make it there, name another one, or sign in to {cloud}"
        )
        raise pulumi.RunError(f"dnsZone: {service} {message}") from None
    if not names:
        raise pulumi.RunError(f"dnsZone: {service} has no public zone {zone}: make it there, or name another one")
    if len(names) > 1:
        raise pulumi.RunError(
            f"dnsZone: {service} has several zones {zone} ({', '.join(names)}): keep the delegated one"
        )
    return names[0]
