"""One Google Cloud stack: GKE with a CPU pool and a spot T4 pool at zero, ready for Argo CD, and its fragment."""

from __future__ import annotations

import pulumi

from llm_infra import stack
from llm_infra.gcp import prices
from llm_infra.gcp.platform import GcpPlatform

configured = stack.platform_of_stack("gcp")
project = pulumi.Config("gcp").require("project")
settings = stack.with_live_prices(configured, prices.as_deployer(project).ask)
platform = GcpPlatform(settings, project)
stack.export(
    settings,
    kubeconfig=platform.kubeconfig,
    registry_url=platform.registry_url,
    name_servers=platform.name_servers,
    keys=platform.keys,
)
