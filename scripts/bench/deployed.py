"""What the charts render to and what the stacks' programs make, counted by the rules that the tests hold them to."""

from __future__ import annotations

from llm_infra.clouds import CLOUDS
from llm_policy import rules
from tests.charts.deployed import RELEASES
from tests.charts.helm import containers
from tests.charts.test_everything import DIGEST, pods, unrestricted
from tests.infra import programs


def p27_pods() -> str:
    """Whether each pod is "restricted", and each image named by digest."""
    specs = [spec for release in RELEASES for _, spec in pods(release)]
    images = [each["image"] for spec in specs for each in containers(spec).values()]
    restricted = sum(not unrestricted(spec) for spec in specs)
    by_digest = sum(DIGEST.fullmatch(image) is not None for image in images)
    return (
        f"{restricted} of {len(specs)} pods of {len(RELEASES)} releases are; {by_digest} of {len(images)} images by "
        f"digest, {sum(':latest' in image for image in images)} `:latest`"
    )


def p28_infrastructure() -> str:
    stacks = [programs.as_shipped(cloud, stack) for cloud in CLOUDS for stack in ("dev", "prod")]
    resources = [resource for made in stacks for resource in made.resources]
    breaches = sum(
        len(list(rule(resource.type, resource.inputs))) for resource in resources for _, rule in rules.RULES.values()
    )
    return f"{breaches} breaches of {len(rules.RULES)} rules in {len(resources)} resources of {len(stacks)} stacks"
