from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_router.config.decode import decode
from llm_router.config.fragments import fragment
from llm_router.config.json_schema import fragment_schema, router_schema, schema, to_text
from llm_router.config.schema import Base, Config
from llm_router.config.secrets import FollowReferences
from llm_router.config.yaml_nodes import read_file
from llm_router.errors import ConfigError
from tests.router.config.test_load import INVALID, VALID

ROOT = Path(__file__).parents[3]
ROUTER = Draft202012Validator(router_schema())
FRAGMENT = Draft202012Validator(fragment_schema())


def test_the_committed_schema_is_the_one_of_the_code() -> None:
    """When this fails: ``llm-router schema > router/router.schema.json``."""
    assert (ROOT / "router" / "router.schema.json").read_text() == to_text(router_schema())


@pytest.mark.parametrize("document", [router_schema(), fragment_schema()])
def test_it_is_a_json_schema_and_every_reference_in_it_leads_somewhere(document: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(document)

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [r for value in node.values() for r in references(value)]
        return [r for item in node for r in references(item)] if isinstance(node, list) else []

    assert {r.removeprefix("#/$defs/") for r in references(document)} <= document["$defs"].keys()


def test_it_is_the_same_text_every_time() -> None:
    assert to_text(router_schema()) == to_text(router_schema())


def test_every_object_is_closed_and_every_main_key_described() -> None:
    document = router_schema()
    for body in (document, *(d for d in document["$defs"].values() if d.get("type") == "object")):
        assert body["additionalProperties"] is False
    assert all("description" in body for body in document["properties"].values())
    for section in ("Server", "Router", "Timeouts", "TargetTls"):
        undescribed = [k for k, b in document["$defs"][section]["properties"].items() if "description" not in b]
        assert undescribed in ([], ["cost", "latency", "timeouts", "failover"])


@pytest.mark.parametrize("file", [*VALID, ROOT / "router" / "router.example.yaml"], ids=lambda file: file.stem)
def test_what_loads_validates(file: Path) -> None:
    assert not [error.message for error in ROUTER.iter_errors(read_file(str(file)).data)]


SHAPE = [f for f in INVALID if f.stem.startswith(("unknown-", "key-in-", "text-", "number-", "list-", "mapping-for-"))]


@pytest.mark.parametrize("file", SHAPE, ids=lambda file: file.stem)
def test_mistakes_of_shape_are_seen_by_an_editor_too(file: Path) -> None:
    assert not ROUTER.is_valid(read_file(str(file)).data)


def test_fragments_have_references_for_secrets_and_nowhere_else() -> None:
    data: dict[str, Any] = {"stack": "aws", "clusters": [{"name": "a", "endpoint": "https://a.example.com"}]}
    assert FRAGMENT.is_valid(data)
    for reference in ("${KEY}", "file:/run/key", "secret:key"):
        assert FRAGMENT.is_valid({**data, "clusters": [{**data["clusters"][0], "sharedSecret": reference}]})
    assert not FRAGMENT.is_valid({**data, "clusters": [{**data["clusters"][0], "sharedSecret": "s3cret"}]})
    assert not FRAGMENT.is_valid({**data, "clusters": [{**data["clusters"][0], "costPerHour": "${PRICE}"}]})
    assert not FRAGMENT.is_valid({**data, "server": {}})


class Plain(Base):
    """First paragraph.

    Second paragraph.
    """

    name: str


def test_a_struct_of_another_kind_has_a_schema_too() -> None:
    document = schema(Plain)
    assert (document["title"], document["description"]) == ("Plain", "First paragraph.")
    assert document["required"] == ["name"]


# ---------------------------------------------------------------- the schema and the decoder say the same


def keys_of(node: dict[str, Any]) -> set[str]:
    return {*node.get("properties", ()), *(k for d in node["$defs"].values() for k in d.get("properties", ()))}


words = st.sampled_from(["a", "hybrid", "openai", "30s", "4MiB", "a b", "", "hmac", "static", "aws", "-", "x..y"])
numbers = st.integers(-2, 70000) | st.sampled_from([0.5, 1.0, -0.5, 100.5])
leaves = st.none() | st.booleans() | numbers | words


def shaped(node: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Data in the shape that a schema asks for, with arbitrary leaves: most of it nearly right."""
    if "$ref" in node:
        node = defs[node["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in node:
        return st.one_of(*(shaped(option, defs) for option in node["anyOf"]))
    if node.get("type") == "array":
        return st.lists(shaped(node["items"], defs), max_size=2)
    if "properties" in node:
        body = {key: st.deferred(lambda inner=inner: shaped(inner, defs)) for key, inner in node["properties"].items()}  # type: ignore[misc]
        required = {key: body.pop(key) for key in node.get("required", ())}
        return st.fixed_dictionaries(required, optional=body)
    if isinstance(node.get("additionalProperties"), dict):
        return st.dictionaries(words, shaped(node["additionalProperties"], defs), max_size=2)
    return leaves


@settings(max_examples=200)
@given(st.data())
def test_the_decoder_accepts_what_the_schema_accepts_and_nothing_else(data: st.DataObject) -> None:
    document = router_schema()
    section = data.draw(st.sampled_from(sorted(document["properties"])))
    value = data.draw(shaped(document["properties"][section], document["$defs"]))
    decoded = decode({section: value}, Config, FollowReferences({}, "/"))
    assert ROUTER.is_valid({section: value}) == (not decoded.problems), decoded.problems


@settings(max_examples=100)
@given(st.data())
def test_the_same_holds_for_fragments(data: st.DataObject) -> None:
    document = fragment_schema()
    secrets = st.sampled_from(["${KEY}", "secret:key", "literal"])
    cluster = data.draw(shaped(document["$defs"]["Cluster"], document["$defs"]))
    value = {"stack": "aws", "clusters": [{**cluster, "sharedSecret": data.draw(secrets)}]}
    try:
        fragment(value)
    except ConfigError as error:
        assert not FRAGMENT.is_valid(value), error  # noqa: PT017 -- either outcome is fine, as long as both agree
    else:
        assert FRAGMENT.is_valid(value)
