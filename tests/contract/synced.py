"""What Argo CD syncs into a stack's cluster: the overlay's Applications, filled by the cluster Secret and Helm.

Only ``ApplicationSet`` and ``kustomize`` are imitated here, as far as ``clusters/`` uses them; tests/gitops has the
real ones.
"""

from __future__ import annotations

import copy
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from tests.charts.helm import ROOT, Objects, documents, merged, render, values_file
from tests.infra.programs import Recorded

#: As the file is once an image was pushed.
DIGEST = f"sha256:{'ab' * 32}"
_KNOWN = re.compile(r"\.metadata\.(annotations|labels)\.(\w+)")


@dataclass(frozen=True, slots=True)
class Synced:
    """One Application that a set makes. ``values``: of all its files and texts, as Helm merges them."""

    name: str
    project: str
    namespace: str
    chart: str
    release: str
    values: dict[str, Any]

    def objects(self) -> Objects:
        return render(self.chart, self.values, release=self.release, namespace=self.namespace)


def synced(recorded: Recorded, **released: str) -> dict[str, Synced]:
    """By name, in a cluster of the stack that was run; ``released`` goes before what ``clusters/release.yaml`` says."""
    root = recorded.one(":Application", "root").inputs["spec"]["source"]
    metadata = recorded.one("core/v1:Secret", "cluster-secret").inputs["metadata"]
    found = [
        _application(each, metadata, released) for each in _sets(root["path"]) if _selects(each, metadata["labels"])
    ]
    return {application.name: application for application in found}


def _sets(path: str) -> list[dict[str, Any]]:
    """The ApplicationSets of a folder, with the overlays' only patch: which cloud they are for."""
    folder = ROOT / path
    told = yaml.safe_load((folder / "kustomization.yaml").read_text())
    found: list[dict[str, Any]] = []
    for name in told["resources"]:
        at = (folder / name).resolve()
        if at.is_dir():
            found += _sets(str(at.relative_to(ROOT)))
        else:
            found += [each for each in documents(at.read_text()) if each["kind"] == "ApplicationSet"]
    for patch in told.get("patches", []):
        (change,) = yaml.safe_load(patch["patch"])
        assert change["path"].endswith("/clusters/selector/matchLabels/cloud")
        for each in found:
            _selector(each)["cloud"] = change["value"]
    return found


def _selector(application_set: dict[str, Any]) -> dict[str, str]:
    clusters = application_set["spec"]["generators"][0]["matrix"]["generators"][0]["clusters"]
    labels: dict[str, str] = clusters["selector"]["matchLabels"]
    return labels


def _selects(application_set: dict[str, Any], labels: dict[str, str]) -> bool:
    return _selector(application_set).items() <= labels.items()


def _application(application_set: dict[str, Any], metadata: dict[str, Any], released: dict[str, str]) -> Synced:
    template = copy.deepcopy(application_set["spec"]["template"])
    # A text of its own, not a part of the template's YAML.
    values_text = template["spec"]["source"]["helm"].pop("values")
    release = yaml.safe_load((ROOT / "clusters" / "release.yaml").read_text())
    release["routerImage"]["digest"] = DIGEST
    facts = {"metadata": metadata, "server": "https://kubernetes.default.svc", **release, **released}
    spec = yaml.safe_load(_filled(yaml.safe_dump(template["spec"], width=10_000), facts))
    source = spec["source"]
    assert (ROOT / source["path"] / "Chart.yaml").exists()
    chart = source["path"].removeprefix("charts/")
    files = [values_file(chart, *name.split("/")) for name in source["helm"].get("valueFiles", [])]
    values = yaml.safe_load(_filled(values_text, facts))
    return Synced(
        name=template["metadata"]["name"],
        project=spec["project"],
        namespace=spec["destination"]["namespace"],
        chart=chart,
        release=source["helm"]["releaseName"],
        values=merged(*files, values),
    )


def _filled(text: str, facts: dict[str, Any]) -> str:
    """Go's template with the facts as its dot; what is not there is an error, as ``missingkey=error`` has it."""
    for kind, name in _KNOWN.findall(text):
        assert name in facts["metadata"][kind], f"the cluster Secret has no {kind} {name}"
    return _rendered("{{ with .Values }}" + text + "{{ end }}", facts)


def _rendered(text: str, values: dict[str, Any]) -> str:
    """By Helm's own engine, which knows Argo CD's functions, too."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "templates").mkdir()
        (Path(folder) / "Chart.yaml").write_text("apiVersion: v2\nname: set\nversion: 0.0.0\n")
        (Path(folder) / "templates" / "NOTES.txt").write_text(text)
        (found,) = helm.Chart.load(folder).render(values, name="set", namespace="argocd").values()
    return found
