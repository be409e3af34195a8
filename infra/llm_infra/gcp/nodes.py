"""The nodes' own account, with the least that a node needs, and what both kinds of pool share."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import container, projects, serviceaccount

from .. import naming
from ..component import Component
from ..contract import PoolContract

MANAGEMENT = container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True)


@dataclass(frozen=True, kw_only=True)
class GcpNodeAccountArgs:
    project: str


class GcpNodeAccount(Component):
    email: pulumi.Output[str]
    member: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: GcpNodeAccountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        account = serviceaccount.Account(
            name, account_id=naming.squeezed(name, 30), display_name=f"nodes of {name}", opts=self.own()
        )
        self.email, self.member = account.email, account.member
        role = projects.IAMMember(
            name,
            project=args.project,
            role="roles/container.defaultNodeServiceAccount",
            member=account.member,
            opts=self.own(),
        )
        self.ready = [role]
        self.done(email=self.email)


def taints(contract: PoolContract) -> list[container.NodePoolNodeConfigTaintArgs]:
    """Declared even where GKE adds them by itself: an undeclared one makes the next run replace the pool."""
    return [
        container.NodePoolNodeConfigTaintArgs(key=taint.key, value=taint.value, effect=taint.api_effect)
        for taint in contract.taints
    ]


def node_config(
    *,
    machine_type: str,
    spot: bool,
    disk_gib: int,
    account: pulumi.Input[str],
    contract: PoolContract,
    labels: dict[str, str],
    accelerator: container.NodePoolNodeConfigGuestAcceleratorArgs | None = None,
) -> container.NodePoolNodeConfigArgs:
    """``labels`` are the bill's, the contract's are Kubernetes'."""
    return container.NodePoolNodeConfigArgs(
        machine_type=machine_type,
        spot=spot,
        disk_size_gb=disk_gib,
        disk_type="pd-balanced",
        service_account=account,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        labels=contract.labels,
        resource_labels=labels,
        taints=taints(contract),
        guest_accelerators=[accelerator] if accelerator else None,
        # Images start before they are there as a whole: most of a cold start.
        gcfs_config=container.NodePoolNodeConfigGcfsConfigArgs(enabled=True),
        workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
        shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=accelerator is None, enable_integrity_monitoring=True
        ),
        metadata={"disable-legacy-endpoints": "true"},
    )
