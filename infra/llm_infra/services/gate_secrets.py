"""Gate keys as Kubernetes Secrets, where no external-secrets brings them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from ..component import Component
from ..contract import WORKLOAD_NAMESPACE, gate_secret
from ..gate_keys import GateKeys


@dataclass(frozen=True, kw_only=True)
class GateSecretsArgs:
    """``keys`` by the pool's name."""

    keys: Mapping[str, GateKeys]
    cluster: pulumi.Resource


class GateSecrets(Component):
    def __init__(self, name: str, args: GateSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        secrets = [
            Secret(
                f"{name}-{pool}",
                metadata=ObjectMetaArgs(name=gate_secret(pool), namespace=WORKLOAD_NAMESPACE),
                type="Opaque",
                string_data=keys.entries,
                opts=self.own(deleted_with=args.cluster),
            )
            for pool, keys in args.keys.items()
        ]
        self.done(count=len(secrets))
