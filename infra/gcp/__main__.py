"""One Google Cloud stack: GKE with a CPU pool and a spot T4 pool at zero, ready for Argo CD, and its fragment."""

from __future__ import annotations

import pulumi

from llm_infra import stack
from llm_infra.gcp.platform import GcpPlatform

settings = stack.platform_of_stack("gcp")
platform = GcpPlatform(settings, pulumi.Config("gcp").require("project"))
stack.export(
    settings,
    kubeconfig=platform.kubeconfig,
    registry_url=platform.registry_url,
    name_servers=platform.name_servers,
    keys=platform.keys,
)
