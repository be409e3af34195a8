"""A Kubernetes service account that acts as a managed identity, by federation: no key anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import managedidentity

from ..component import Component
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AzureIdentityArgs:
    resource_group: pulumi.Input[str]
    issuer: pulumi.Input[str]
    namespace: str
    service_account: str
    tags: Tags


class AzureIdentity(Component):
    #: What the service account's annotation names.
    client_id: pulumi.Output[str]
    principal_id: pulumi.Output[str]

    def __init__(self, name: str, args: AzureIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        identity = managedidentity.UserAssignedIdentity(
            name, resource_group_name=args.resource_group, tags=args.tags.all(), opts=self.own()
        )
        self.client_id, self.principal_id = identity.client_id, identity.principal_id
        managedidentity.FederatedIdentityCredential(
            name,
            resource_group_name=args.resource_group,
            resource_name_=identity.name,
            issuer=args.issuer,
            subject=f"system:serviceaccount:{args.namespace}:{args.service_account}",
            audiences=["api://AzureADTokenExchange"],
            opts=pulumi.ResourceOptions(parent=identity),
        )
        self.done(client_id=self.client_id)
