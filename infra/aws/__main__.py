"""One AWS stack: EKS with a CPU pool and a spot T4 pool at zero, ready for Argo CD, and its fragment for the router."""

from __future__ import annotations

from llm_infra import stack
from llm_infra.aws import prices
from llm_infra.aws.platform import AwsPlatform

settings = stack.with_live_prices(stack.platform_of_stack("aws"), prices.ask)
platform = AwsPlatform(settings)
stack.export(
    settings,
    kubeconfig=platform.kubeconfig,
    registry_url=platform.registry_url,
    name_servers=platform.name_servers,
    keys=platform.keys,
)
