"""A container registry: the project's own images, which the nodes may pull, and nobody without an account."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerregistry

from .. import naming
from ..component import Component
from ..tags import Tags
from . import roles


@dataclass(frozen=True, kw_only=True)
class AzureRegistryArgs:
    resource_group: pulumi.Input[str]
    subscription_id: str
    cluster: str
    puller_object_id: pulumi.Input[str]
    tags: Tags


class AzureRegistry(Component):
    url: pulumi.Output[str]

    def __init__(self, name: str, args: AzureRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        # Pulumi adds eight digits: the name has to be unique in the whole world.
        registry = containerregistry.Registry(
            naming.letters_and_digits(args.cluster, 40),
            resource_group_name=args.resource_group,
            sku=containerregistry.SkuArgs(name="Basic"),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            tags=args.tags.all(),
            opts=self.own(),
        )
        roles.give(
            f"{name}-pull",
            role=roles.ACR_PULL,
            principal_id=args.puller_object_id,
            scope=registry.id,
            subscription_id=args.subscription_id,
            opts=self.own(),
        )
        self.url = registry.login_server
        self.done(url=self.url)
