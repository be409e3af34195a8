"""Kubernetes minor versions that the clouds offer, and until when at the normal price.

EKS: its version calendar. GKE: its release schedule (an estimate, by its own words). AKS: its release calendar, month
ends. Read November 2026. ``None``: offered, but no date was published yet.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from ..clouds import Cloud

READ_ON = date(2026, 11, 20)
DEFAULT = "1.35"
#: From this many days before the end on, a new cluster would have to be upgraded at once.
WARN_DAYS = 60

STANDARD_SUPPORT_ENDS: MappingProxyType[Cloud, MappingProxyType[str, date | None]] = MappingProxyType(
    {
        "aws": MappingProxyType(
            {"1.33": date(2026, 7, 29), "1.34": date(2026, 12, 2), "1.35": date(2027, 3, 27), "1.36": None}
        ),
        "gcp": MappingProxyType(
            {"1.33": date(2026, 8, 3), "1.34": date(2026, 10, 1), "1.35": date(2027, 4, 11), "1.36": None}
        ),
        "azure": MappingProxyType(
            {
                "1.34": date(2026, 11, 30),
                "1.35": date(2027, 3, 31),
                "1.36": date(2027, 6, 30),
                "1.37": None,
            }
        ),
    }
)
