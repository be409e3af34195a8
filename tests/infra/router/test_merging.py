from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from llm_infra.errors import SettingsError
from llm_infra.router import merging
from llm_infra.router.stack import SCHEMA_FILE

SCHEMA = json.loads(SCHEMA_FILE.read_text())


def fragment(stack: str, *names: str, **more: Any) -> dict[str, Any]:
    return {
        "stack": stack,
        "clusters": [{"name": name, "endpoint": f"https://{name}.example.com", **more} for name in names],
    }


def merged(base: dict[str, Any], *fragments: dict[str, Any]) -> merging.Config:
    return merging.merged(base, fragments, SCHEMA)


def refused(base: dict[str, Any], *fragments: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        merged(base, *fragments)
    return str(caught.value)


def test_clusters_come_behind_the_operators_own_by_stack_and_name() -> None:
    base = {"clusters": [{"name": "mine", "endpoint": "https://mine.example.com"}], "state": {"backend": "memory"}}
    config = merged(base, fragment("gcp", "gcp"), fragment("aws", "aws-gpu", "aws"))
    assert [cluster["name"] for cluster in config["clusters"]] == ["mine", "aws", "aws-gpu", "gcp"]
    assert config["state"] == {"backend": "memory"}


def test_the_text_is_the_same_whatever_the_order_of_the_stacks() -> None:
    a, b = fragment("aws", "aws"), fragment("gcp", "gcp")
    assert merging.text(merged({}, a, b), ["aws", "gcp"]) == merging.text(merged({}, b, a), ["gcp", "aws"])
    assert yaml.safe_load(merging.text(merged({}, a), ["aws"])) == merged({}, a)


def test_the_text_is_the_same_however_the_engine_hands_a_fragment_over() -> None:
    """Maps in another order and floats for whole numbers are no change of routing."""
    written = fragment("aws", "a", costPerHour=0.5, scaling={"minNodes": 0, "maxNodes": 3})
    read = fragment("aws", "a", scaling={"maxNodes": 3.0, "minNodes": 0.0}, costPerHour=0.5)
    read["clusters"] = [dict(reversed(cluster.items())) for cluster in read["clusters"]]
    text = merging.text(merged({}, read), ["aws"])
    assert text == merging.text(merged({}, written), ["aws"])
    assert "- name: a\n" in text
    assert "maxNodes: 3\n" in text


def test_a_name_that_two_claim_is_told_with_both() -> None:
    assert refused({}, fragment("aws", "x"), fragment("gcp", "x")) == (
        "stacks: the name x is claimed by the stack aws and by the stack gcp: rename one"
    )
    base = {"externalProviders": [{"name": "x", "type": "openai"}]}
    assert "claimed by the base file's externalProviders and by the stack aws" in refused(base, fragment("aws", "x"))


def test_one_cloud_twice_is_refused() -> None:
    assert "two of them are called aws" in refused({}, fragment("aws", "a"), fragment("aws", "b"))


def test_what_the_routers_schema_refuses_is_told_with_its_path() -> None:
    assert "clusters[0]" in refused({}, fragment("aws", "a", endpont="x"))
    assert "router" in refused({"router": {"routingStrategy": "cheapest"}}, fragment("aws", "a"))
