"""A Kubernetes service account that acts as an account of Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import serviceaccount

from .. import naming
from ..component import Component


@dataclass(frozen=True, kw_only=True)
class GcpIdentityArgs:
    workload_pool: pulumi.Input[str]
    namespace: str
    service_account: str


class GcpIdentity(Component):
    #: What the service account's annotation names.
    email: pulumi.Output[str]
    member: pulumi.Output[str]

    def __init__(self, name: str, args: GcpIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        account = serviceaccount.Account(
            name,
            account_id=naming.squeezed(name, 30),
            display_name=f"{args.namespace}/{args.service_account}",
            opts=self.own(),
        )
        self.email, self.member = account.email, account.member
        pod = f"[{args.namespace}/{args.service_account}]"
        serviceaccount.IAMMember(
            name,
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=pulumi.Output.concat("serviceAccount:", args.workload_pool, pod),
            opts=self.own(),
        )
        self.done(email=self.email)
