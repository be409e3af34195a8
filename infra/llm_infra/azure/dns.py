"""An Azure DNS zone per host of a gate, which the parent domain delegates; external-dns writes the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import dns

from ..component import Component
from ..tags import Tags
from . import locks, roles


@dataclass(frozen=True, kw_only=True)
class AzureDnsArgs:
    """``protect``: a zone that was deleted comes back with other name servers than those that were delegated to."""

    resource_group: pulumi.Input[str]
    resource_group_id: pulumi.Input[str]
    subscription_id: str
    hosts: Sequence[str]
    writer_principal_id: pulumi.Input[str]
    protect: bool
    tags: Tags


class AzureDns(Component):
    name_servers: dict[str, pulumi.Output[Sequence[str]]]

    def __init__(self, name: str, args: AzureDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.name_servers = {}
        # Zones are found by listing those of the group.
        roles.give(
            f"{name}-reader",
            role=roles.READER,
            principal_id=args.writer_principal_id,
            scope=args.resource_group_id,
            subscription_id=args.subscription_id,
            opts=self.own(),
        )
        for host in args.hosts:
            zone = dns.Zone(
                f"{name}-{host}",
                zone_name=host,
                resource_group_name=args.resource_group,
                location="global",
                tags=args.tags.all(),
                opts=self.own(),
            )
            roles.give(
                f"{name}-{host}",
                role=roles.DNS_ZONE_CONTRIBUTOR,
                principal_id=args.writer_principal_id,
                scope=zone.id,
                subscription_id=args.subscription_id,
                opts=pulumi.ResourceOptions(parent=zone),
            )
            if args.protect:
                # Of the zone itself it would keep external-dns from deleting records.
                start = pulumi.Output.concat(zone.id, "/SOA/@")
                locks.against_deletion(f"{name}-{host}", of=start, parent=zone)
            self.name_servers[host] = zone.name_servers
        self.done(name_servers=self.name_servers)
