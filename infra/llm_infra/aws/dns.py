"""A Route 53 zone per host of a gate: the parent domain, wherever it is, delegates exactly these names.

The records in them follow the load balancers, which the cluster makes: external-dns writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import route53

from ..component import Component
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AwsDnsArgs:
    hosts: Sequence[str]
    tags: Tags


class AwsDns(Component):
    zone_arns: list[pulumi.Output[str]]
    #: Host → the name servers that the parent domain has to name.
    name_servers: dict[str, pulumi.Output[Sequence[str]]]

    def __init__(self, name: str, args: AwsDnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        zones = {
            host: route53.Zone(
                f"{name}-{host}",
                name=host,
                comment="made by pulumi, records by external-dns",
                # Records that external-dns left behind do not keep the zone alive.
                force_destroy=True,
                tags=args.tags.all(),
                opts=self.own(),
            )
            for host in args.hosts
        }
        self.zone_arns = [zone.arn for zone in zones.values()]
        self.name_servers = {host: zone.name_servers for host, zone in zones.items()}
        self.done(name_servers=self.name_servers)
