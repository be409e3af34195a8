"""Gate keys in a Key Vault, from where external-secrets brings them into the cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from .. import naming
from ..component import Component
from ..contract import gate_store_key
from ..gate_keys import GateKeys
from ..tags import Tags
from . import roles


@dataclass(frozen=True, kw_only=True)
class AzureSecretStoreArgs:
    """``keep_deleted``: what was deleted can be had back for 90 days, and its name is taken as long."""

    cluster: str
    resource_group: pulumi.Input[str]
    subscription_id: str
    tenant_id: str
    keys: Mapping[str, GateKeys]
    reader_principal_id: pulumi.Input[str]
    keep_deleted: bool
    tags: Tags


class AzureSecretStore(Component):
    vault_uri: pulumi.Output[str]

    def __init__(self, name: str, args: AzureSecretStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        vault = keyvault.Vault(
            # At most 24 characters with the eight that Pulumi adds, unique in the whole world.
            naming.letters_and_digits(args.cluster, 16),
            resource_group_name=args.resource_group,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.tenant_id,
                sku=keyvault.SkuArgs(family="A", name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=90 if args.keep_deleted else 7,
                # Cannot be taken back, and Azure refuses to be told false.
                enable_purge_protection=True if args.keep_deleted else None,
            ),
            tags=args.tags.all(),
            opts=self.own(),
        )
        self.vault_uri = vault.properties.apply(lambda properties: str(properties.vault_uri))
        roles.give(
            f"{name}-reader",
            role=roles.KEY_VAULT_SECRETS_USER,
            principal_id=args.reader_principal_id,
            scope=vault.id,
            subscription_id=args.subscription_id,
            opts=self.own(),
        )
        for pool, keys in args.keys.items():
            text = pulumi.Output.all(**keys.entries).apply(lambda entries: json.dumps(entries, sort_keys=True))
            keyvault.Secret(
                f"{name}-{pool}",
                secret_name=gate_store_key("azure", args.cluster, pool),
                resource_group_name=args.resource_group,
                vault_name=vault.name,
                properties=keyvault.SecretPropertiesArgs(value=text),
                tags=args.tags.all(),
                # Who deploys may delete the vault, but nothing in it.
                opts=self.own(deleted_with=vault),
            )
        self.done(vault_uri=self.vault_uri)
