"""Compliance tags that are widely understood."""

from __future__ import annotations

KNOWN_TAGS = frozenset({"gdpr", "hipaa", "iso27001", "pci-dss", "soc2", "sox"})
"""Tags that may be asked for even where no target has them (then nobody may answer). Another tag that no target has is
a mistake in writing, and said to be one."""
