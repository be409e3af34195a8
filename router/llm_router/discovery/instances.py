"""From what a registry says of an instance to a cluster of the configuration, under the same rules as a written one.

An entry may say where it is, what it costs and what it is good for. What authenticates the router, and whom it
trusts, is the configuration's alone: it stands in ``discovery.template``, never in a registry.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ..config.check import unfit_clusters
from ..config.decode import decode
from ..config.findings import Finding, quote, show
from ..config.hints import keys_of
from ..config.scalars import Name, Positive, Tag, Text, Whole
from ..config.schema import Base, Cluster, ClusterModel, ClusterTemplate, Config
from ..config.secrets import KeepReferences
from ..config.yaml_nodes import scalar
from .base import ClusterSet, Instance

_LONGEST_NAME = 63
_LISTS = ("models", "capabilities", "compliance")
_PLAIN = ("costPerHour", "priority", "weight")


class Entry(Base):
    """What a registry may say. ``None`` means what the template says."""

    name: Name
    endpoint: Text
    region: str | None = None
    provider: str | None = None
    cost_per_hour: Positive | None = None
    models: tuple[ClusterModel, ...] | None = None
    capabilities: tuple[Text, ...] | None = None
    compliance: tuple[Tag, ...] | None = None
    priority: Whole | None = None
    weight: Whole | None = None


class Unfit(msgspec.Struct, frozen=True):
    """An instance that cannot be used as it is, and why."""

    origin: str
    reason: str


KEYS = tuple(key.spelling for key in keys_of(Entry) if key.spelling != "endpoint")
"""What annotations, meta data and tags may set; where it is comes from the registry itself."""
_TEMPLATE_KEYS = frozenset(key.spelling for key in keys_of(ClusterTemplate)) - {key.spelling for key in keys_of(Entry)}


def assemble(config: Config, instances: Iterable[Instance]) -> tuple[ClusterSet, tuple[Unfit, ...]]:
    """The configuration's own clusters, and those of the instances that are fit to be used, by name."""
    unfit: list[Unfit] = []
    found: list[tuple[Cluster, Instance]] = []
    taken = {c.name for c in config.clusters} | {p.name for p in config.external_providers}
    for instance in sorted(instances, key=lambda i: (str(i.data.get("name")), i.origin)):
        entry = _entry(instance)
        if isinstance(entry, Unfit):
            unfit.append(entry)
        elif entry.name in taken:
            unfit.append(Unfit(instance.origin, f"name: {entry.name} is taken: give it another name"))
        else:
            taken.add(entry.name)
            found.append((_cluster(entry, config.discovery.template), instance))
    refused = unfit_clusters(config, [cluster for cluster, _ in found])
    unfit += [Unfit(instance.origin, _told(refused[c.name])) for c, instance in found if c.name in refused]
    good = [(cluster, instance) for cluster, instance in found if cluster.name not in refused]
    draining = frozenset(cluster.name for cluster, instance in good if instance.draining)
    return ClusterSet((*config.clusters, *(cluster for cluster, _ in good)), draining), tuple(unfit)


def from_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of annotations, meta data and tags as the data that they stand for: lists are written with commas, or as
    JSON in brackets. A value that is no such text stays as it is, for ``assemble`` to refuse."""
    return {key: _value(key, text.strip()) for key, text in texts.items()}


def with_prefix(texts: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The entries whose keys begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}


def name_of(*parts: str) -> str:
    """A cluster's name from what a registry calls it: other characters become hyphens, and what is too long is cut and
    told apart by a digest."""
    whole = ".".join(parts)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", whole).lstrip("._-")
    if name and name == whole and len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}-{digest}" if name else f"cluster-{digest}"


def host_in_url(host: str) -> str:
    """An IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _value(key: str, text: str) -> Any:
    if key in _LISTS:
        if text.startswith("["):
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return text
        return [item.strip() for item in text.split(",") if item.strip()]
    return scalar(text) if key in _PLAIN else text


def _entry(instance: Instance) -> Entry | Unfit:
    if instance.fault:
        return Unfit(instance.origin, instance.fault)
    secret = sorted(_TEMPLATE_KEYS & instance.data.keys())
    if secret:
        reason = f"{secret[0]}: a registry must not say that: it stands in discovery.template of the configuration"
        return Unfit(instance.origin, reason)
    data = dict(instance.data)
    if isinstance(models := data.get("models"), list):
        data["models"] = [{"name": model} if isinstance(model, str) else model for model in models]
    decoded = decode(data, Entry, KeepReferences())
    if decoded.value is None or decoded.problems:
        return Unfit(instance.origin, _told(decoded.problems[0]))
    return decoded.value


def _cluster(entry: Entry, template: ClusterTemplate) -> Cluster:
    shared = {name: getattr(template, name) for name in template.__struct_fields__}
    own = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return Cluster(**shared | {name: value for name, value in own.items() if value is not None})


def _told(finding: Finding) -> str:
    return f"{show(finding.path)}: {quote(finding.message) if not finding.message.isprintable() else finding.message}"
