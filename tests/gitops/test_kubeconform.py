"""Every object that the charts render to, and every overlay, against the schemas of two versions of Kubernetes.

The schemas are those that kubeconform asks for: JSON Schema, made strict, from Kubernetes' own OpenAPI file and from
the definitions of custom resources; a field that they do not name is an error.
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_infra.clouds import CLOUDS
from tests.charts.deployed import RELEASES, rendered
from tests.charts.helm import ROOT, Object, merged
from tests.gitops.control_plane import DEFINITIONS, definitions
from tests.router.discovery.kube_server import tool

pytestmark = pytest.mark.built

VERSIONS = ("1.35", "1.36")
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_KEPT_OPEN = ("x-kubernetes-preserve-unknown-fields", "additionalProperties")


def strict(schema: Any) -> Any:
    """Without words, and with nothing but what is named."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {
        key: {name: strict(each) for name, each in value.items()} if key == "properties" else strict(value)
        for key, value in schema.items()
        if key not in ("description", "format", "nullable") and not key.startswith("x-kubernetes-")
    }
    if "properties" in schema and not any(key in schema for key in _KEPT_OPEN):
        kept["additionalProperties"] = False
    return kept


@cache
def built_in(version: str) -> dict[tuple[str, str], dict[str, Any]]:
    """By apiVersion and kind, as Kubernetes of that version publishes them."""
    raw = json.loads((definitions(f"kubernetes-{version}") / "swagger.json").read_text())["definitions"]
    every = {name: strict(each) for name, each in raw.items()}
    every |= {QUANTITY: {"type": ["string", "number"]}, INT_OR_STRING: {"type": ["integer", "string"]}}
    return {
        ("/".join(filter(None, (said["group"], said["version"]))), said["kind"]): every[name] | {"definitions": every}
        for name, each in raw.items()
        for said in each.get("x-kubernetes-group-version-kind", ())
    }


class _Loader(yaml.CSafeLoader):
    """YAML's lone = is a text, which the operator of YAML 1.1 is not."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


@cache
def custom() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for file in (file for name in DEFINITIONS for file in sorted(definitions(name).glob("*.yaml"))):
        for each in yaml.load_all(file.read_text(), _Loader):
            if not each or each["kind"] != "CustomResourceDefinition":
                continue
            spec = each["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                head = {"metadata": {"type": "object"}, "apiVersion": {"type": "string"}, "kind": {"type": "string"}}
                schema["properties"] = schema.get("properties", {}) | head
                found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def overlays() -> list[Object]:
    return [
        each
        for cloud in CLOUDS
        for overlay in ("prod", "gpu")
        for each in yaml.safe_load_all(
            subprocess.run(
                [tool("kustomize"), "build", ROOT / "clusters" / cloud / "overlays" / overlay],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
    ]


def kubeconform(folder: Path, version: str, objects: list[Object]) -> dict[str, Any]:
    """What it says of the objects, with the schemas of their kinds written into the folder."""
    schemas = built_in(version) | custom()
    for version_and_kind in {(each["apiVersion"], each["kind"]) for each in objects} & schemas.keys():
        group, _, name = version_and_kind[0].rpartition("/")
        file = folder / f"{group or name}-{name}-{version_and_kind[1].lower()}.json"
        file.write_text(json.dumps(schemas[version_and_kind]))
    (folder / "objects.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    location = f"{folder}/{{{{.Group}}}}-{{{{.ResourceAPIVersion}}}}-{{{{.ResourceKind}}}}.json"
    command: list[str | Path] = [tool("kubeconform"), "-strict", "-summary", "-output=json"]
    command += [f"-kubernetes-version={version}.0", "-schema-location", location, folder / "objects.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_all_that_is_rendered_fits_the_schemas(tmp_path: Path, version: str) -> None:
    objects = [*(each for release in RELEASES for each in rendered(release)), *overlays()]
    said = kubeconform(tmp_path, version, objects)
    assert {(each["kind"], each["name"], each["msg"]) for each in said["resources"]} == set()
    assert said["summary"] == {"valid": len(objects), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("Deployment", {"spec": {"template": {"spec": {"hostNetwrk": True}}}}),
        ("Deployment", {"spec": {"replicas": "two"}}),
        ("HTTPRoute", {"spec": {"hostname": "a.example.com"}}),
        ("PodMonitor", {"spec": {"podMetricsEndpoints": [{"prt": "gate"}]}}),
    ],
)
def test_and_what_does_not_fit_is_told(tmp_path: Path, version: str, kind: str, change: dict[str, Any]) -> None:
    broken = merged(rendered("llm-server-exposed").one(kind), change)
    assert kubeconform(tmp_path, version, [broken])["summary"]["invalid"] == 1
