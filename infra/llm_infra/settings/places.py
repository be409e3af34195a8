"""Regions and zones: how they are written, and where T4s are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import Problem
from ..tables import zones as tables
from .model import Platform


def zones(platform: Platform) -> Iterator[Problem]:
    """Whether such a zone exists only the cloud can say; none of another region does."""
    named = platform.zones
    form, example = _written(platform)
    for zone in named:
        if not re.fullmatch(form, zone):
            yield Problem("zones", f"{zone} is no zone of {platform.region}: they are written like {example}")
    if len(set(named)) < len(named):
        yield Problem("zones", "one of them is named twice")
    elif platform.cloud == "aws" and len(named) == 1:
        yield Problem("zones", f"{named[0]} alone: EKS demands two. Name another, or none for the region's first two")


def _written(platform: Platform) -> tuple[str, str]:
    """How the region's zones are: a pattern, and one of them."""
    region = platform.region
    return {
        "aws": (rf"{re.escape(region)}[a-z]", f"{region}a"),
        "gcp": (rf"{re.escape(region)}-[a-z]", f"{region}-a"),
        "azure": ("[1-3]", "1"),
    }[platform.cloud]


def with_t4(platform: Platform) -> Iterator[Problem]:
    if platform.gpu is None:
        return
    if platform.cloud == "gcp":
        yield from _gcp_with_t4(platform)
        return
    regions = tables.AWS_T4_REGIONS if platform.cloud == "aws" else tables.AZURE_T4_REGIONS
    if platform.region not in regions:
        message = f"T4 nodes are not known in {platform.region}: choose one of {', '.join(sorted(regions))}, "
        yield Problem("gpu", message + "set gpu to false, or acceptUnlisted to true")


def _gcp_with_t4(platform: Platform) -> Iterator[Problem]:
    known = tables.gcp_t4_zones_of(platform.region)
    if not known:
        regions = sorted({zone.rsplit("-", 1)[0] for zone in tables.GCP_T4_ZONES})
        message = f"no zone of {platform.region} has T4s: choose one of {', '.join(regions)}, or set gpu to false"
        yield Problem("gpu", message)
        return
    form, _ = _written(platform)
    for zone in platform.zones:
        # One of another region has been told.
        if zone not in known and re.fullmatch(form, zone):
            yield Problem("zones", f"{zone} has no T4s: choose from {', '.join(known)}, or set gpu to false")
