"""Gate keys in AWS Secrets Manager, from where external-secrets brings them into the cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import secretsmanager

from ..component import Component
from ..contract import gate_store_key
from ..gate_keys import GateKeys
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AwsSecretStoreArgs:
    """``recovery_days``: 0 deletes at once, so that the same name can be used again."""

    cluster: str
    keys: Mapping[str, GateKeys]
    recovery_days: int
    tags: Tags


class AwsSecretStore(Component):
    secret_arns: list[pulumi.Output[str]]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: AwsSecretStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.secret_arns, self.ready = [], []
        for pool, keys in args.keys.items():
            secret = secretsmanager.Secret(
                f"{name}-{pool}",
                name=gate_store_key("aws", args.cluster, pool),
                recovery_window_in_days=args.recovery_days,
                tags=args.tags.all(),
                opts=self.own(),
            )
            text = pulumi.Output.all(**keys.entries).apply(lambda entries: json.dumps(entries, sort_keys=True))
            version = secretsmanager.SecretVersion(
                f"{name}-{pool}", secret_id=secret.id, secret_string=text, opts=self.own()
            )
            self.secret_arns.append(secret.arn)
            self.ready.append(version)
        self.done(secret_arns=self.secret_arns)
