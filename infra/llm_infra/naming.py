"""Names that clouds accept: each has limits of its own, and tells of them only when the resource is made.

Resources whose properties force a replacement get no name here: the new one could not be made beside the old one.
"""

from __future__ import annotations

import hashlib
import re

#: The longest cluster name from which every other name here can be made.
MAX_PREFIX = 20
PREFIX = re.compile(r"[a-z][a-z0-9-]{1,18}[a-z0-9]", re.ASCII)


def cluster(name: str, environment: str) -> str:
    """Name of the Kubernetes cluster, and of all that belongs to it."""
    return f"{name}-{environment}"


def pool(cloud: str, kind: str) -> str:
    """What the router calls the pool: ``aws``, ``aws-gpu``. The first label of its host, too."""
    return cloud if kind == "cpu" else f"{cloud}-{kind}"


def host(pool_name: str, domain: str) -> str:
    """Host of the pool's gate: ``aws.llm.example.com``, ``aws-gpu.llm.example.com``."""
    return f"{pool_name}.llm.{domain}"


def squeezed(text: str, longest: int) -> str:
    """``text`` with at most ``longest`` characters; what was cut is replaced by a digest, so names stay distinct."""
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{text[: longest - 7].rstrip('-')}-{digest}"


def letters_and_digits(text: str, longest: int) -> str:
    """Lower-case letters and digits only, as Azure's registries (5–50) and Linux pools (1–12) demand."""
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    if len(plain) <= longest:
        return plain
    return plain[: longest - 6] + hashlib.sha256(plain.encode()).hexdigest()[:6]
