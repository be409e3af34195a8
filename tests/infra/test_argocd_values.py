"""What the Pulumi programs tell the chart of Argo CD: its parts are reached by each other only."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llm_infra.services.argocd import VALUES_FILE


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(VALUES_FILE.read_text())
    return found


def test_each_part_gets_a_network_policy(values: dict[str, Any]) -> None:
    """Without one whoever runs a pod may have the repo-server run what he likes, and read and write its Redis."""
    assert values["global"]["networkPolicy"]["create"] is True
    assert not [name for name, part in values.items() if "networkPolicy" in part and name != "global"]


def test_nobody_comes_from_outside_and_nobody_without_a_name(values: dict[str, Any]) -> None:
    assert values["server"]["service"]["type"] == "ClusterIP"
    assert values["server"]["ingress"] == {"enabled": False}
    assert values["configs"]["cm"]["users.anonymous.enabled"] == "false"
    assert values["configs"]["params"]["server.insecure"] is False
    assert not {"server.disable.auth", "secret"} & {*values["configs"]["params"], *values["configs"]}
