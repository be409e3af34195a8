"""Gate keys in Secret Manager, from where external-secrets brings them into the cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager

from ..component import Component
from ..contract import gate_store_key
from ..gate_keys import GateKeys
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class GcpSecretStoreArgs:
    cluster: str
    region: str
    keys: Mapping[str, GateKeys]
    reader: pulumi.Input[str]
    tags: Tags


class GcpSecretStore(Component):
    def __init__(self, name: str, args: GcpSecretStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        for pool, keys in args.keys.items():
            secret = secretmanager.Secret(
                f"{name}-{pool}",
                secret_id=gate_store_key("gcp", args.cluster, pool),
                replication=secretmanager.SecretReplicationArgs(
                    user_managed=secretmanager.SecretReplicationUserManagedArgs(
                        replicas=[secretmanager.SecretReplicationUserManagedReplicaArgs(location=args.region)]
                    )
                ),
                labels=args.tags.labels(),
                opts=self.own(),
            )
            text = pulumi.Output.all(**keys.entries).apply(lambda entries: json.dumps(entries, sort_keys=True))
            secretmanager.SecretVersion(f"{name}-{pool}", secret=secret.id, secret_data=text, opts=self.own())
            secretmanager.SecretIamMember(
                f"{name}-{pool}",
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=args.reader,
                opts=self.own(),
            )
        self.done(count=len(args.keys))
