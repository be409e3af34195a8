"""What Azure itself keeps from being deleted, whoever asks: Pulumi's own protection holds only who asks Pulumi."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import authorization


def against_deletion(name: str, *, of: pulumi.Input[str], parent: pulumi.Resource) -> None:
    """Keeps ``of``, all that is in it, and all that it is in, up to the resource group.

    A lock reaches far: also what a program deletes every day, and permissions, cannot go while their scope is locked.
    So it belongs on a part that stays as long as its whole does. https://learn.microsoft.com/azure/dns/dns-protect-zones-recordsets
    """
    authorization.ManagementLockByScope(
        name,
        scope=of,
        level="CanNotDelete",
        notes="production: scripts/teardown.sh takes the lock away",
        # Not the parent's: with its protection the lock is to go, too.
        opts=pulumi.ResourceOptions(parent=parent, protect=False),
    )
