"""Charts rendered by Helm itself, as Kubernetes objects."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
NAMESPACE = "llm"

Object = dict[str, Any]
Values = Mapping[str, Any]


@cache
def chart(name: str) -> helm.Chart:
    return helm.Chart.load(CHARTS / name)


def merged(*values: Values) -> dict[str, Any]:
    """As ``helm --values A --values B``: mappings are merged, everything else is replaced."""
    whole: dict[str, Any] = {}
    for part in values:
        _merge(whole, copy.deepcopy(dict(part)))
    return whole


def _merge(into: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def render(name: str, *values: Values, release: str = "pool", namespace: str = NAMESPACE) -> Objects:
    """The objects of the chart; schema and templates may refuse (``helm.HelmError``)."""
    texts = _rendered(name, json.dumps(merged(*values)), release, namespace)
    return Objects([found for text in texts for found in documents(text) if found])


@cache
def _rendered(name: str, values: str, release: str, namespace: str) -> list[str]:
    whole = json.loads(values)
    chart(name).validate_schema(whole)
    rendered = chart(name).render(whole, name=release, namespace=namespace)
    return [text for template, text in sorted(rendered.items()) if not template.endswith("NOTES.txt")]


def documents(text: str) -> list[Any]:
    """Of a YAML file: by the parser in C, since these are many."""
    return list(yaml.load_all(text, yaml.CSafeLoader))


class Objects:
    """What a chart renders to."""

    def __init__(self, found: list[Object]) -> None:
        self.all = found

    def __iter__(self) -> Iterator[Object]:
        return iter(self.all)

    def of(self, kind: str) -> list[Object]:
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Object:
        """The only one of its kind that is no hook, or the one of that name."""
        found = [
            each
            for each in self.of(kind)
            if (each["metadata"]["name"] == name if name else "helm.sh/hook" not in annotations_of(each))
        ]
        assert len(found) == 1, f"{len(found)} objects of kind {kind}"
        return found[0]

    def kinds(self) -> set[str]:
        return {found["kind"] for found in self.all}

    def pod_specs(self) -> list[Object]:
        return [spec for found in self.all if (spec := pod_spec(found)) is not None]


def annotations_of(found: Object) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def pod_spec(found: Object) -> Object | None:
    if found["kind"] not in ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job"):
        return None
    spec: Object = found["spec"]
    return spec if found["kind"] == "Pod" else spec["template"]["spec"]


def containers(spec: Object) -> dict[str, Object]:
    """Containers, sidecars and init containers by name."""
    return {each["name"]: each for each in [*spec.get("initContainers", []), *spec["containers"]]}


def file_in(config_map: Object, name: str) -> Any:
    """A YAML file that a ConfigMap holds."""
    (content,) = documents(config_map["data"][name])
    return content


def values_file(*parts: str) -> dict[str, Any]:
    (values,) = documents(CHARTS.joinpath(*parts).read_text())
    assert isinstance(values, dict)
    return values
