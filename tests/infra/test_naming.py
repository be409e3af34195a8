from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_infra import naming
from llm_infra.tags import Tags

prefixes = st.from_regex(naming.PREFIX, fullmatch=True)
environments = st.sampled_from(["dev", "prod"])


def test_pools_and_hosts_are_called_as_the_router_knows_them() -> None:
    assert [naming.pool("aws", "cpu"), naming.pool("aws", "gpu")] == ["aws", "aws-gpu"]
    assert naming.host("aws-gpu", "example.com") == "aws-gpu.llm.example.com"


@given(prefixes, environments)
def test_every_prefix_that_is_accepted_makes_names_that_clouds_accept(prefix: str, environment: str) -> None:
    cluster = naming.cluster(prefix, environment)
    assert len(naming.squeezed(f"{cluster}-external-secrets", 30)) <= 30, "service account of Google Cloud"
    registry = naming.letters_and_digits(cluster, 40)
    assert registry.isalnum()
    assert 5 <= len(registry) + 8 <= 50, "container registry of Azure, with Pulumi's eight digits"
    assert 3 <= len(naming.letters_and_digits(cluster, 16)) + 8 <= 24, "key vault"
    assert len(f"{cluster}-external-secrets") <= 55, "IAM role, with Pulumi's eight"


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,60}[a-z0-9]", fullmatch=True), min_size=2, max_size=2, unique=True))
def test_names_that_were_cut_stay_distinct(names: list[str]) -> None:
    first, second = (naming.squeezed(name, 30) for name in names)
    assert first != second
    assert len(first) <= 30


def test_a_name_that_fits_stays_as_it_is() -> None:
    assert naming.squeezed("llm-dev-nodes", 30) == "llm-dev-nodes"
    assert naming.letters_and_digits("LLM-dev", 16) == "llmdev"


def test_labels_of_google_cloud_are_lower_case_and_short() -> None:
    labels = Tags(project="LLM", environment="dev", cluster="x" * 80).labels(team="Search")
    assert labels["project"] == "llm"
    assert labels["team"] == "search"
    assert max(map(len, labels.values())) <= 63
