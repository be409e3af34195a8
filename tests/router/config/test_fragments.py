from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.fragments import StackFragment, fragment, merge, read_fragment, render
from llm_router.config.load import parse
from llm_router.config.yaml_nodes import read
from llm_router.errors import ConfigError, Problem
from tests.router.config.environment import ENV


def cluster(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "endpoint": f"https://{name}.example.com", "sharedSecret": "${GATE_KEY}", **more}


def stack(name: str, *clusters: str) -> StackFragment:
    return fragment({"stack": name, "clusters": [cluster(c) for c in clusters]}, f"{name}.yaml")


def refusal(action: Callable[[], object]) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        action()
    return caught.value.problems


def test_fragments_become_the_file_that_the_router_loads(tmp_path: Path) -> None:
    file = tmp_path / "aws.yaml"
    file.write_text(
        "stack: aws\nclusters:\n  - {name: w, endpoint: https://w.example.com, sharedSecret: ${GATE_KEY}}\n"
    )
    base = {"server": {"port": 8443, "readTimeout": "5s"}, "router": {"clusterCostThreshold": 0.5}}
    text = render(merge(base, [read_fragment(str(file)), stack("gcp", "b")]), stacks=["gcp", "aws"])
    config = parse(text, env={"GATE_KEY": ENV["GATE_KEY"]}).config
    assert [c.name for c in config.clusters] == ["w", "b"]
    assert config.clusters[0].shared_secret == ENV["GATE_KEY"]
    assert (config.server.port, config.router.cluster_cost_threshold) == (8443, 0.5)


def test_the_rendered_file_keeps_references_and_says_where_it_is_from() -> None:
    text = render(merge({}, [stack("aws", "a")]), stacks=["gcp", "aws"])
    assert text.startswith(
        "# yaml-language-server: $schema=router.schema.json\n"
        "# Generated from the stacks aws, gcp: changes made here are lost.\n"
    )
    assert "${GATE_KEY}" in text
    assert ENV["GATE_KEY"] not in text


def test_the_order_is_the_bases_own_then_by_stack_then_by_name() -> None:
    parts = [stack("gcp", "z", "y"), stack("aws", "x", "m")]
    merged = merge({"clusters": [cluster("own")]}, parts)
    assert [c["name"] for c in merged["clusters"]] == ["own", "m", "x", "y", "z"]


def test_merging_changes_neither_the_base_nor_the_fragments() -> None:
    base: dict[str, Any] = {"clusters": [cluster("own")]}
    part = stack("aws", "b", "a")
    merge(base, [part])
    assert base == {"clusters": [cluster("own")]}
    assert [c["name"] for c in part.clusters] == ["b", "a"]


@pytest.mark.parametrize("nothing", [{}, {"clusters": None}, {"clusters": []}])
def test_a_base_without_clusters_takes_those_of_the_stacks(nothing: dict[str, Any]) -> None:
    assert [c["name"] for c in merge(nothing, [stack("aws", "a")])["clusters"]] == ["a"]


def test_a_name_that_two_stacks_claim_is_refused_naming_both() -> None:
    (problem,) = refusal(lambda: merge({}, [stack("aws", "same"), stack("gcp", "other", "same")]))
    assert problem.message == "the name same is claimed by the stack aws and by the stack gcp: rename one of the two"
    assert (problem.file, problem.path) == ("gcp.yaml", "clusters[1].name")


def test_a_name_that_the_base_has_is_refused_too() -> None:
    base = {"clusters": [cluster("a")], "externalProviders": [{"name": "openai"}, "nonsense"]}
    problems = refusal(lambda: merge(base, [stack("aws", "a", "openai")]))
    assert [("base file's clusters" in p.message, "base file's externalProviders" in p.message) for p in problems] == [
        (True, False),
        (False, True),
    ]


def test_the_same_stack_twice_is_refused() -> None:
    problems = refusal(lambda: merge({}, [stack("aws", "a"), stack("aws", "b")]))
    assert "a fragment of the stack aws is there already (aws.yaml)" in problems[0].message


@pytest.mark.parametrize("secret", ["s3cret-literal-canary", "x-${GATE_KEY}", "${GATE_KEY:-x}"])
def test_a_fragment_with_a_secret_in_it_is_refused_without_showing_it(secret: str) -> None:
    data = {"stack": "aws", "clusters": [cluster("a", sharedSecret=secret)]}
    (problem,) = refusal(lambda: fragment(data, "aws.yaml"))
    assert problem.path == "clusters[0].sharedSecret"
    assert "never secrets" in problem.message
    assert secret not in str(problem)


def test_a_fragment_is_refused_with_all_its_problems_and_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "aws.yaml"
    file.write_text("stack: aws\nclusters:\n  - name: a\n    endpiont: x\n    region: ${REGION}\nserver: {port: 1}\n")
    problems = refusal(lambda: read_fragment(str(file)))
    assert {(p.line, p.path) for p in problems} == {
        (3, "clusters[0].endpoint"),
        (4, "clusters[0].endpiont"),
        (5, "clusters[0].region"),
        (6, "server"),
    }
    assert {p.file for p in problems} == {str(file)}


def test_what_a_fragment_can_not_know_is_told_when_the_whole_is_loaded() -> None:
    part = fragment({"stack": "aws", "clusters": [cluster("a", scaling={"minNodes": 0})]})
    (problem,) = refusal(lambda: parse(render(merge({}, [part])), env=ENV))
    assert (problem.path, problem.line > 0) == ("clusters[0].costPerHour", True)


names = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), unique=True, min_size=1, max_size=6)


@given(names, st.randoms(use_true_random=False))
def test_the_same_fragments_in_any_order_give_the_same_text(owners: list[str], random: Any) -> None:
    parts = [stack(f"s{i % 3}-{i}", name) for i, name in enumerate(owners)]
    text = render(merge({}, parts), stacks=[p.stack for p in parts])
    random.shuffle(parts)
    assert render(merge({}, parts), stacks=[p.stack for p in parts]) == text
    assert len(read(text).data["clusters"]) == len(owners)
