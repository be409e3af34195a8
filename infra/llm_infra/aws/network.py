"""A VPC for one cluster: public subnets for load balancers; nodes in them, too, or in private ones behind NAT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice

import pulumi
from pulumi_aws import ec2

from ..component import Component
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AwsNetworkArgs:
    """``zones``: at least two, EKS demands it. ``nat_per_zone`` survives the loss of a zone and costs as many times."""

    region: str
    cidr: IPv4Network
    zones: Sequence[str]
    private_nodes: bool
    nat_per_zone: bool
    tags: Tags


class AwsNetwork(Component):
    vpc_id: pulumi.Output[str]
    node_subnet_ids: list[pulumi.Output[str]]
    #: What must be there before a node can reach the internet.
    egress: list[pulumi.Resource]

    def __init__(self, name: str, args: AwsNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._name, self._args = name, args
        tags = args.tags
        self.vpc = ec2.Vpc(
            name,
            cidr_block=str(args.cidr),
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=tags.all(Name=name),
            opts=self.own(),
        )
        self.vpc_id = self.vpc.id
        # Without rules: whatever forgets to name a security group reaches nothing.
        ec2.DefaultSecurityGroup(f"{name}-default", vpc_id=self.vpc_id, tags=tags.all(), opts=self.own())
        gateway = ec2.InternetGateway(name, vpc_id=self.vpc_id, tags=tags.all(Name=name), opts=self.own())
        outward = ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)
        blocks = list(islice(args.cidr.subnets(new_prefix=args.cidr.prefixlen + 3), 8))
        public = self._subnets("public", blocks[:4], outward)
        self.egress = [gateway]
        nodes = public
        if args.private_nodes:
            nat = self._nat(public, gateway)
            self.egress.append(nat)
            nodes = self._subnets(
                "private", blocks[4:], ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)
            )
        self.node_subnet_ids = [subnet.id for subnet in nodes]
        self.done(vpc_id=self.vpc_id, node_subnet_ids=self.node_subnet_ids)

    def _subnets(self, kind: str, blocks: Sequence[IPv4Network], outward: ec2.RouteTableRouteArgs) -> list[ec2.Subnet]:
        """One per zone. The role tags tell load balancer controllers where to put what."""
        args, name = self._args, f"{self._name}-{kind}"
        role = "kubernetes.io/role/elb" if kind == "public" else "kubernetes.io/role/internal-elb"
        table = ec2.RouteTable(
            name, vpc_id=self.vpc_id, routes=[outward], tags=args.tags.all(Name=name), opts=self.own()
        )
        subnets = []
        for zone, block in zip(args.zones, blocks, strict=False):
            subnet = ec2.Subnet(
                f"{name}-{zone}",
                vpc_id=self.vpc_id,
                availability_zone=zone,
                cidr_block=str(block),
                map_public_ip_on_launch=kind == "public" and not args.private_nodes,
                tags=args.tags.all(Name=f"{name}-{zone}", **{role: "1"}),
                opts=self.own(),
            )
            ec2.RouteTableAssociation(
                f"{name}-{zone}",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=pulumi.ResourceOptions(parent=subnet),
            )
            subnets.append(subnet)
        # Image layers come from S3: this way they cost nothing and need no NAT.
        ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id],
            tags=args.tags.all(Name=f"{name}-s3"),
            opts=self.own(),
        )
        return subnets

    def _nat(self, public: Sequence[ec2.Subnet], gateway: ec2.InternetGateway) -> ec2.NatGateway:
        name, tags = f"{self._name}-nat", self._args.tags.all(Name=f"{self._name}-nat")
        if self._args.nat_per_zone:
            return ec2.NatGateway(
                name,
                vpc_id=self.vpc_id,
                availability_mode="regional",
                tags=tags,
                opts=self.own(depends_on=[gateway]),
            )
        address = ec2.Eip(name, domain="vpc", tags=tags, opts=self.own(depends_on=[gateway]))
        return ec2.NatGateway(
            name,
            subnet_id=public[0].id,
            allocation_id=address.id,
            tags=tags,
            opts=self.own(depends_on=[gateway]),
        )
