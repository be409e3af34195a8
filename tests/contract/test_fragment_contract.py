"""The seam between the two halves: what the infrastructure library emits is what the router loads.

Neither imports the other; only these tests import both.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_infra.router_fragment import Capacity, Pool, ServedModel, from_env, from_file, from_secret, render
from llm_router.config.fragments import fragment, merge, read_fragment
from llm_router.config.fragments import render as render_config
from llm_router.config.json_schema import fragment_schema
from llm_router.config.load import load, parse
from llm_router.upstream.signing import authority_of

KEYS = {
    f"{cloud}_GATE_KEY": base64.b64encode(bytes([i + 1, *range(31)])).decode() for i, cloud in enumerate(("AWS", "GCP"))
}
SCHEMA = Draft202012Validator(fragment_schema())


def pool(cloud: str, name: str, **changes: Any) -> Pool:
    values: dict[str, Any] = {
        "name": name,
        "endpoint": f"https://{name}.llm.example.com",
        "cloud": cloud,
        "region": "us-west-2",
        "node_usd_per_hour": 0.0928,
        "shared_secret": from_env(f"{cloud.upper()}_GATE_KEY"),
        "key_id": f"{name}.1",
        "models": (ServedModel(name="tinyllama-1.1b-chat", context_length=2048),),
        "capacity": Capacity(slots=4, decode_tokens_per_second=8.0, prefill_tokens_per_second=100.0),
        "compliance": ("hipaa", "gdpr"),
    }
    return Pool(**(values | changes))


def test_what_the_stacks_emit_is_merged_and_loaded(tmp_path: Path) -> None:
    """As it happens: each stack writes its file, the files are merged, the router loads the result."""
    pools = {"aws": pool("aws", "aws-cpu"), "gcp": pool("gcp", "gcp-gpu", max_nodes=3)}
    parts = []
    for stack, one in pools.items():
        file = tmp_path / f"{stack}.yaml"
        file.write_text(yaml.safe_dump(render(stack, [one])))
        parts.append(read_fragment(str(file)))
    merged = tmp_path / "router.yaml"
    merged.write_text(render_config(merge({}, parts), stacks=pools))
    loaded = load(str(merged), KEYS)
    assert not loaded.warnings
    for cluster, one in zip(loaded.config.clusters, pools.values(), strict=True):
        assert (cluster.name, cluster.endpoint, cluster.region) == (one.name, one.endpoint, one.region)
        assert (cluster.provider, cluster.cost_per_hour) == (one.cloud, one.node_usd_per_hour)
        assert [(m.name, m.context_length) for m in cluster.models] == [("tinyllama-1.1b-chat", 2048)]
        assert cluster.capacity.slots == 4
        assert cluster.capacity.decode_tokens_per_second == 8.0
        assert cluster.capacity.prefill_tokens_per_second == 100.0
        assert (cluster.scaling.min_nodes, cluster.scaling.max_nodes) == (1, one.max_nodes)
        assert cluster.compliance == ("hipaa", "gdpr")
        assert cluster.shared_secret == KEYS[f"{one.cloud.upper()}_GATE_KEY"]


@pytest.mark.parametrize("reference", [from_env("AWS_GATE_KEY"), from_file("/run/gate.key"), from_secret("aws-gate")])
def test_every_kind_of_reference_is_one_for_the_router(reference: Any) -> None:
    emitted = render("aws", [pool("aws", "a", shared_secret=reference)])
    SCHEMA.validate(emitted)
    assert fragment(emitted).clusters[0]["sharedSecret"] == reference.text


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
models = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,40}", fullmatch=True).filter(lambda m: ".." not in m)
amounts = st.floats(1e-6, 1e6)


@given(names, names, models, amounts, st.integers(1, 10**6), st.sampled_from(["", ":443", ":8443", "/"]))
def test_whatever_the_library_accepts_the_router_accepts(
    stack: str, name: str, model: str, amount: float, count: int, tail: str
) -> None:
    one = pool(
        "aws",
        name,
        endpoint=f"https://gate.example.com{tail}",
        node_usd_per_hour=amount,
        models=(ServedModel(name=model, context_length=count),),
        capacity=Capacity(slots=count, decode_tokens_per_second=amount),
    )
    emitted = render(stack, [one])
    SCHEMA.validate(emitted)
    (cluster,) = parse(render_config(merge({}, [fragment(emitted)])), env=KEYS).config.clusters
    assert (cluster.name, cluster.models[0].name, cluster.cost_per_hour) == (name, model, amount)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://aws.llm.example.com",
        "https://AWS.LLM.Example.com/",
        "https://aws.llm.example.com:443",
        "https://aws.llm.example.com:80",
        "https://aws.llm.example.com:8443",
    ],
)
def test_the_gate_is_told_the_authority_that_the_router_signs(endpoint: str) -> None:
    assert pool("aws", "a", endpoint=endpoint).authority == authority_of(endpoint)
