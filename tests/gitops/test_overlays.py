"""`kubectl apply -k` of each overlay, for real; what Argo CD makes of them is shown in test_one_up."""

from __future__ import annotations

from itertools import product

import pytest

from llm_infra.clouds import CLOUDS, Cloud
from tests.charts.helm import ROOT
from tests.gitops.control_plane import ControlPlane

pytestmark = [pytest.mark.slow, pytest.mark.built, pytest.mark.timeout(300)]

SETS = "applicationsets.argoproj.io"
PROD = {"platform", "exporter-cpu", "pool-cpu"}
EXPECTED = {"prod": PROD, "gpu": PROD | {"exporter-gpu", "pool-gpu"}}


def clouds_of_sets(plane: ControlPlane) -> dict[str, str]:
    """For which cloud's clusters each set makes Applications."""
    return {
        each["metadata"]["name"]: each["spec"]["generators"][0]["matrix"]["generators"][0]["clusters"]["selector"][
            "matchLabels"
        ]["cloud"]
        for each in plane.get(SETS, "", "argocd")["items"]
    }


@pytest.mark.parametrize(("cloud", "overlay"), tuple(product(CLOUDS, EXPECTED)))
def test_kubectl_applies_every_overlay(plane: ControlPlane, cloud: Cloud, overlay: str) -> None:
    folder = ROOT / "clusters" / cloud / "overlays" / overlay
    wanted = {name: cloud for name in EXPECTED[overlay]}
    assert clouds_of_sets(plane) == {}
    said = plane.kubectl("apply", "-k", folder, "--validate=strict")
    try:
        assert said.count(" created\n") == len(wanted)
        assert clouds_of_sets(plane) == wanted
        assert plane.kubectl("apply", "-k", folder).count(" unchanged\n") == len(wanted)
        assert plane.kubectl("diff", "-k", folder) == ""
    finally:
        plane.kubectl("delete", "-k", folder, "--timeout=60s")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_gpu_pool_comes_to_what_is_there_and_goes_again(plane: ControlPlane, cloud: Cloud) -> None:
    overlays = ROOT / "clusters" / cloud / "overlays"
    plane.kubectl("apply", "-k", overlays / "prod")
    try:
        said = plane.kubectl("apply", "-k", overlays / "gpu")
        assert (said.count(" unchanged\n"), said.count(" created\n")) == (3, 2)
        plane.kubectl("delete", "-k", ROOT / "clusters" / "base" / "gpu", "--timeout=60s")
        assert clouds_of_sets(plane) == {name: cloud for name in PROD}
    finally:
        plane.kubectl("delete", "-k", overlays / "prod", "--timeout=60s")
