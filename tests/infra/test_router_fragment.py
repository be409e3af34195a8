from __future__ import annotations

from typing import Any

import pytest

from llm_infra.router_fragment import Capacity, Pool, ServedModel, from_env, from_file, from_secret, render

TINY = ServedModel(name="tinyllama-1.1b-chat", context_length=2048)


def pool(**changes: Any) -> Pool:
    values: dict[str, Any] = {
        "name": "aws-us-west-2",
        "endpoint": "https://aws.llm.example.com",
        "cloud": "aws",
        "region": "us-west-2",
        "node_usd_per_hour": 0.0928,
        "shared_secret": from_env("AWS_GATE_KEY"),
        "key_id": "aws-us-west-2.1",
        "models": (TINY,),
        "capacity": Capacity(slots=4, decode_tokens_per_second=8.0, prefill_tokens_per_second=100.0),
        "max_nodes": 3,
        "capabilities": ("simple-tasks",),
        "compliance": ("hipaa",),
    }
    return Pool(**(values | changes))


def test_a_pool_is_told_in_the_contracts_spelling() -> None:
    assert render("aws", [pool()]) == {
        "stack": "aws",
        "clusters": [
            {
                "name": "aws-us-west-2",
                "endpoint": "https://aws.llm.example.com",
                "region": "us-west-2",
                "provider": "aws",
                "type": "llama.cpp",
                "costPerHour": 0.0928,
                "authType": "hmac",
                "sharedSecret": "${AWS_GATE_KEY}",
                "keyId": "aws-us-west-2.1",
                "models": [{"name": "tinyllama-1.1b-chat", "contextLength": 2048}],
                "capabilities": ["simple-tasks"],
                "capacity": {"slots": 4, "decodeTokensPerSecond": 8.0, "prefillTokensPerSecond": 100.0},
                "scaling": {"minNodes": 1, "maxNodes": 3},
                "compliance": ["hipaa"],
            }
        ],
    }


def test_what_is_not_known_is_left_out() -> None:
    (cluster,) = render("aws", [pool(capacity=Capacity(slots=4, decode_tokens_per_second=8.0))])["clusters"]
    assert cluster["capacity"] == {"slots": 4, "decodeTokensPerSecond": 8.0}


def test_a_pool_that_may_go_to_zero_says_how_long_it_takes_to_come_back() -> None:
    (cluster,) = render("aws", [pool(min_nodes=0, cold_start_s=300)])["clusters"]
    assert cluster["scaling"] == {"minNodes": 0, "maxNodes": 3, "coldStart": "300s"}


def test_the_order_does_not_depend_on_that_of_the_pools() -> None:
    gpu = pool(name="aws-gpu", endpoint="https://aws-gpu.llm.example.com")
    assert render("aws", [pool(), gpu]) == render("aws", [gpu, pool()])
    assert [c["name"] for c in render("aws", [pool(), gpu])["clusters"]] == ["aws-gpu", "aws-us-west-2"]


def test_secrets_are_references() -> None:
    assert from_env("AWS_GATE_KEY").text == "${AWS_GATE_KEY}"
    assert from_file("/run/secrets/gate").text == "file:/run/secrets/gate"
    assert from_secret("aws-gate").text == "secret:aws-gate"


@pytest.mark.parametrize("variable", ["", "A-B", "1A", "${A}", "A B", "s3cret/with=base64"])
def test_what_is_no_variable_is_refused(variable: str) -> None:
    with pytest.raises(ValueError, match="environment variable"):
        from_env(variable)


def test_what_is_no_place_for_a_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute path"):
        from_file("gate.key")
    with pytest.raises(ValueError, match="secret"):
        from_secret("../gate")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "aws/us"}, "pool 'aws/us'"),
        ({"node_usd_per_hour": 0.0}, "node_usd_per_hour must be above 0"),
        ({"node_usd_per_hour": float("nan")}, "node_usd_per_hour must be above 0"),
        ({"max_nodes": 0}, "max_nodes must be above 0"),
        ({"min_nodes": 4}, "min_nodes 4 must be from 0 to 3"),
        ({"min_nodes": -1}, "min_nodes -1 must be from 0 to 3"),
        ({"cold_start_s": 0}, "cold_start_s must be above 0"),
        ({"key_id": "a/b"}, "key id 'a/b'"),
        ({"models": ()}, "at least one model"),
        ({"compliance": ("HIPAA",)}, "compliance tag 'HIPAA'"),
        ({"endpoint": "http://aws.llm.example.com"}, "must be https://HOST"),
        ({"endpoint": "https://me:pw@aws.llm.example.com"}, "without credentials"),
        ({"endpoint": "https://aws.llm.example.com/gate"}, "without a path"),
        ({"endpoint": "https://aws.llm.example.com?x"}, "without a path"),
        ({"endpoint": "https://localhost"}, "must be https://HOST"),
        ({"endpoint": "https://gäte.example.com"}, "must be https://HOST"),
        ({"endpoint": ""}, "must be https://HOST"),
    ],
)
def test_a_pool_that_the_router_would_refuse_is_refused_when_the_stack_runs(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pool(**changes)


def test_models_and_capacities_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="model"):
        ServedModel(name="../x", context_length=1)
    with pytest.raises(ValueError, match="context_length"):
        ServedModel(name="x", context_length=0)
    for values in ({"slots": 0, "decode_tokens_per_second": 1.0}, {"slots": 1, "decode_tokens_per_second": 0.0}):
        with pytest.raises(ValueError, match="capacity"):
            Capacity(**values)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prefill"):
        Capacity(slots=1, decode_tokens_per_second=1.0, prefill_tokens_per_second=-1.0)


def test_two_pools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two pools of the stack aws are called aws-us-west-2"):
        render("aws", [pool(), pool()])


def test_a_stack_needs_a_name() -> None:
    with pytest.raises(ValueError, match="stack ''"):
        render("", [])
