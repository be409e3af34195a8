"""A Cloud DNS zone per host of a gate, which the parent domain delegates; external-dns writes the records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import dns, projects

from .. import naming
from ..component import Component
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class GcpDnsArgs:
    project: str
    hosts: Sequence[str]
    writer: pulumi.Input[str]
    tags: Tags


class GcpDns(Component):
    name_servers: dict[str, pulumi.Output[Sequence[str]]]

    def __init__(self, name: str, args: GcpDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.name_servers = {}
        # Zones are found by listing those of the project.
        projects.IAMMember(
            f"{name}-reader", project=args.project, role="roles/dns.reader", member=args.writer, opts=self.own()
        )
        for host in args.hosts:
            zone = dns.ManagedZone(
                f"{name}-{host}",
                # With the cluster's name in it: two clusters of a project may have zones of one host.
                name=naming.squeezed(f"{name}-{host}".replace(".", "-"), 63),
                dns_name=f"{host}.",
                description="made by pulumi, records by external-dns",
                force_destroy=True,
                labels=args.tags.labels(),
                opts=self.own(),
            )
            dns.DnsManagedZoneIamMember(
                f"{name}-{host}",
                managed_zone=zone.name,
                role="roles/dns.admin",
                member=args.writer,
                opts=pulumi.ResourceOptions(parent=zone),
            )
            self.name_servers[host] = zone.name_servers
        self.done(name_servers=self.name_servers)
