"""Where NVIDIA T4 nodes exist. A region that is missing here may have them by now: ``acceptUnlisted`` skips the check.

Sources: SkyPilot's catalog v8 (Google Cloud's zones; AWS' regions), v6 (Azure), read November 2026.
"""

from __future__ import annotations

#: Google Cloud: zones, since a region has T4s in some of its zones only.
GCP_T4_ZONES = frozenset(
    {
        *("us-central1-a", "us-central1-b", "us-central1-c", "us-central1-f"),
        *("us-east1-c", "us-east1-d"),
        *("us-east4-a", "us-east4-b", "us-east4-c"),
        *("us-west1-a", "us-west1-b"),
        *("us-west2-b", "us-west2-c"),
        *("us-west4-a", "us-west4-b"),
        *("europe-west4-a", "europe-west4-b", "europe-west4-c"),
    }
)
AWS_T4_REGIONS = frozenset({"us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1"})
AZURE_T4_REGIONS = frozenset({"eastus", "eastus2", "southcentralus", "westus2", "westus3", "westeurope", "northeurope"})


def gcp_t4_zones_of(region: str) -> list[str]:
    return sorted(zone for zone in GCP_T4_ZONES if zone.rsplit("-", 1)[0] == region)
