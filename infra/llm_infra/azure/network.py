"""A virtual network with one subnet. Nodes have no public addresses; they go out by a load balancer, or by NAT."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_azure_native import network

from ..component import Component
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AzureNetworkArgs:
    resource_group: pulumi.Input[str]
    cidr: IPv4Network
    nat: bool
    tags: Tags


class AzureNetwork(Component):
    subnet_id: pulumi.Output[str]
    #: Where the nodes come from when they go out by NAT.
    nat_address: pulumi.Output[str] | None

    def __init__(self, name: str, args: AzureNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        net = network.VirtualNetwork(
            name,
            resource_group_name=args.resource_group,
            address_space=network.AddressSpaceArgs(address_prefixes=[str(args.cidr)]),
            tags=args.tags.all(),
            # Subnets are resources of their own; listed here as well, each would undo the other.
            opts=self.own(ignore_changes=["subnets"]),
        )
        self.nat_address = None
        gateway = self._nat(name, args) if args.nat else None
        subnet = network.Subnet(
            f"{name}-nodes",
            resource_group_name=args.resource_group,
            virtual_network_name=net.name,
            address_prefix=str(args.cidr),
            default_outbound_access=False,
            nat_gateway=None if gateway is None else network.SubResourceArgs(id=gateway.id),
            opts=self.own(),
        )
        self.subnet_id = subnet.id
        self.done(subnet_id=self.subnet_id)

    def _nat(self, name: str, args: AzureNetworkArgs) -> network.NatGateway:
        address = network.PublicIPAddress(
            f"{name}-nat",
            resource_group_name=args.resource_group,
            public_ip_allocation_method="Static",
            sku=network.PublicIPAddressSkuArgs(name="Standard"),
            tags=args.tags.all(),
            opts=self.own(),
        )
        self.nat_address = address.ip_address.apply(str)
        return network.NatGateway(
            f"{name}-nat",
            resource_group_name=args.resource_group,
            sku=network.NatGatewaySkuArgs(name="Standard"),
            public_ip_addresses=[network.SubResourceArgs(id=address.id)],
            tags=args.tags.all(),
            opts=self.own(),
        )
