"""The interfaces of Google Cloud that the stack uses, switched on in its project, and left on: others may use them."""

from __future__ import annotations

import pulumi
from pulumi_gcp import projects

from ..component import Component

APIS = (
    "artifactregistry",
    "billingbudgets",
    "cloudbilling",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "container",
    "dns",
    "iam",
    "monitoring",
    "secretmanager",
)


class GcpApis(Component):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        for api in APIS:
            projects.Service(
                f"{name}-{api}",
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=self.own(),
            )
        self.done(count=len(APIS))
