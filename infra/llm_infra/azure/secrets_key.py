"""The key of ours with which AKS encrypts Kubernetes' Secrets."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from .. import naming
from ..component import Component
from ..tags import Tags
from . import roles


@dataclass(frozen=True, kw_only=True)
class AzureSecretsKeyArgs:
    """``user_principal_id``: the control plane's identity. ``protect``: not deleted by accident."""

    cluster: str
    resource_group: pulumi.Input[str]
    subscription_id: str
    tenant_id: str
    user_principal_id: pulumi.Input[str]
    protect: bool
    tags: Tags


class AzureSecretsKey(Component):
    """In a vault of its own, which nobody who may read gate keys can use. Without the key the Secrets are lost."""

    #: With its version, as AKS wants it.
    key_id: pulumi.Output[str]
    #: Has to be there before the cluster is.
    permission: pulumi.Resource

    def __init__(self, name: str, args: AzureSecretsKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        vault = keyvault.Vault(
            # At most 24 characters with the eight that Pulumi adds, unique in the whole world.
            naming.letters_and_digits(f"{args.cluster}kms", 16),
            resource_group_name=args.resource_group,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.tenant_id,
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=90,
                enable_purge_protection=True,
            ),
            tags=args.tags.all(),
            opts=self.own(protect=args.protect),
        )
        key = keyvault.Key(
            f"{name}-secrets",
            key_name="kubernetes-secrets",
            resource_group_name=args.resource_group,
            vault_name=vault.name,
            properties=keyvault.KeyPropertiesArgs(kty="RSA", key_size=2048),
            tags=args.tags.all(),
            # Who deploys may delete the vault, but nothing in it.
            opts=self.own(deleted_with=vault, protect=args.protect),
        )
        self.key_id = key.key_uri_with_version
        self.permission = roles.give(
            f"{name}-user",
            role=roles.KEY_VAULT_CRYPTO_USER,
            principal_id=args.user_principal_id,
            scope=vault.id,
            subscription_id=args.subscription_id,
            opts=self.own(),
        )
        self.done(key_id=self.key_id)
