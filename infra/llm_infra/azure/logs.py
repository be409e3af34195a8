"""The control plane's audit log, kept for a quarter of a year."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import monitor, operationalinsights

from ..component import Component
from ..tags import Tags

CATEGORIES = ("kube-audit-admin", "guard", "cluster-autoscaler")


@dataclass(frozen=True, kw_only=True)
class AzureLogsArgs:
    resource_group: pulumi.Input[str]
    cluster_id: pulumi.Input[str]
    days: int
    tags: Tags


class AzureLogs(Component):
    def __init__(self, name: str, args: AzureLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        workspace = operationalinsights.Workspace(
            name,
            resource_group_name=args.resource_group,
            sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=args.days,
            tags=args.tags.all(),
            opts=self.own(),
        )
        monitor.DiagnosticSetting(
            name,
            resource_uri=args.cluster_id,
            workspace_id=workspace.id,
            logs=[monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in CATEGORIES],
            opts=self.own(),
        )
        self.done(workspace_id=workspace.id)
