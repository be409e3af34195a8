"""A VPC with one subnet, whose secondary ranges are the pods' and the services' addresses."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_gcp import compute

from ..component import Component

PODS, SERVICES = "pods", "services"


@dataclass(frozen=True, kw_only=True)
class GcpNetworkArgs:
    region: str
    nodes: IPv4Network
    pods: IPv4Network
    services: IPv4Network
    private_nodes: bool


class GcpNetwork(Component):
    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    egress: list[pulumi.Resource]

    def __init__(self, name: str, args: GcpNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        network = compute.Network(name, auto_create_subnetworks=False, routing_mode="REGIONAL", opts=self.own())
        subnetwork = compute.Subnetwork(
            name,
            network=network.id,
            region=args.region,
            ip_cidr_range=str(args.nodes),
            # To the registry and the other services of Google without NAT.
            private_ip_google_access=True,
            secondary_ip_ranges=[
                compute.SubnetworkSecondaryIpRangeArgs(range_name=PODS, ip_cidr_range=str(args.pods)),
                compute.SubnetworkSecondaryIpRangeArgs(range_name=SERVICES, ip_cidr_range=str(args.services)),
            ],
            opts=self.own(),
        )
        self.network_id, self.subnetwork_id = network.id, subnetwork.id
        self.egress = [self._nat(name, args.region, network)] if args.private_nodes else []
        self.done(network_id=self.network_id, subnetwork_id=self.subnetwork_id)

    def _nat(self, name: str, region: str, network: compute.Network) -> compute.RouterNat:
        router = compute.Router(name, network=network.id, region=region, opts=self.own())
        return compute.RouterNat(
            name,
            router=router.name,
            region=region,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=self.own(),
        )
