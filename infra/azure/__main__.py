"""One Azure stack: AKS with a CPU pool and a spot T4 pool at zero, ready for Argo CD, and its fragment."""

from __future__ import annotations

from llm_infra import stack
from llm_infra.azure import prices
from llm_infra.azure.platform import AzurePlatform

settings = stack.with_live_prices(stack.platform_of_stack("azure"), prices.ask)
platform = AzurePlatform(settings)
stack.export(
    settings,
    kubeconfig=platform.kubeconfig,
    registry_url=platform.registry_url,
    name_servers=platform.name_servers,
    keys=platform.keys,
)
