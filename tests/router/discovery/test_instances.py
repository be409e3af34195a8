"""What a registry may say of a cluster, and what it must not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_router.config.decode import decode
from llm_router.config.findings import quote
from llm_router.config.schema import Cluster, ClusterModel, ClusterTemplate, Provider
from llm_router.config.secrets import KeepReferences
from llm_router.discovery.base import Instance
from llm_router.discovery.instances import KEYS, Entry, assemble, from_texts, name_of, with_prefix
from tests.router.discovery.scenes import SECRET, config, instance, names

FIXED = Cluster(name="fixed", endpoint="https://fixed.example.com", shared_secret=SECRET)


def test_a_cluster_has_what_its_entry_says_and_the_rest_from_the_template() -> None:
    template = ClusterTemplate(
        shared_secret=SECRET, private=True, region="us-east-1", cost_per_hour=0.5, compliance=("hipaa",), weight=3
    )
    found, unfit = assemble(
        config(template=template),
        [instance("a", region="eu-west-1", compliance=[], models=["tiny", {"name": "big", "contextLength": 4096}])],
    )
    assert unfit == ()
    assert found.clusters == (
        Cluster(
            name="a",
            endpoint="http://10.0.0.1:8443",
            shared_secret=SECRET,
            private=True,
            region="eu-west-1",
            cost_per_hour=0.5,
            compliance=(),
            weight=3,
            models=(ClusterModel(name="tiny"), ClusterModel(name="big", context_length=4096)),
        ),
    )


def test_the_files_clusters_come_first_and_those_found_by_name_whatever_their_order() -> None:
    both = [instance("b"), instance("a")]
    settings = config(clusters=(FIXED,))
    assert names(assemble(settings, both)[0]) == names(assemble(settings, both[::-1])[0]) == ["fixed", "a", "b"]


def reason(settings: object = None, **data: object) -> str:
    found, unfit = assemble(config(), [Instance("here", {"name": "a", "endpoint": "http://10.0.0.1", **data})])
    assert found.clusters == ()
    return unfit[0].reason


def test_nothing_that_authenticates_or_is_trusted_comes_from_a_registry() -> None:
    for key in ("sharedSecret", "apiKey", "keyId", "authType", "tls", "private", "type"):
        assert "discovery.template" in reason(**{key: "x"})
    assert {"sharedSecret", "apiKey", "authType", "tls", "private"}.isdisjoint(KEYS)


def test_references_in_an_entry_are_not_followed() -> None:
    assert "reference" in reason(region="${HOME}")


def test_what_is_wrong_with_an_entry_is_said_and_the_others_stay() -> None:
    assert reason(weight=-1) == "weight: must be at least 0, not -1"
    assert reason(regoin="x") == 'regoin: unknown key; did you mean "region"?'
    assert reason(compliance=["HIPAA"]).startswith("compliance[0]: must be 1 to 63 lower-case")
    found, unfit = assemble(config(), [instance("bad", weight="many"), instance("good")])
    assert names(found) == ["good"]
    assert [one.origin for one in unfit] == ["test bad"]


def test_found_addresses_are_judged_as_written_ones() -> None:
    assert "metadata service" in reason(endpoint="http://metadata.google.internal")
    assert "link-local" in reason(endpoint="http://169.254.169.254")
    assert "credentials" in reason(endpoint="http://user:pw@10.0.0.1")
    open_wire = config(template=ClusterTemplate(shared_secret=SECRET))
    assert "plain http" in assemble(open_wire, [instance("a")])[1][0].reason
    unsigned = config(template=ClusterTemplate(auth_type="none", private=True))
    assert "on loopback only" in assemble(unsigned, [instance("a")])[1][0].reason
    assert names(assemble(unsigned, [instance("a", "http://127.0.0.1:1")])[0]) == ["a"]


def test_a_name_belongs_to_the_file_first_then_to_whoever_sorts_first() -> None:
    settings = config(clusters=(FIXED,))
    settings = type(settings)(
        clusters=settings.clusters,
        external_providers=(Provider(name="openai", type="openai"),),
        discovery=settings.discovery,
    )
    entries = [
        instance("fixed"),
        instance("openai"),
        instance("a", "http://10.0.0.1"),
        instance("a", "http://10.0.0.2"),
    ]
    found, unfit = assemble(settings, entries)
    assert names(found) == ["fixed", "a"]
    assert found.clusters[0] is settings.clusters[0]
    assert [one.reason.split(":")[0] for one in unfit] == ["name"] * 3


def test_draining_is_told_of_good_ones_only() -> None:
    found, _ = assemble(
        config(), [instance("a", draining=True), instance("b"), instance("c", weight=-1, draining=True)]
    )
    assert found.draining == {"a"}


def test_annotations_become_data() -> None:
    texts = {"llm-router/costPerHour": "0.25", "llm-router/models": "tiny, big:7b", "other/region": "x"}
    assert from_texts(with_prefix(texts, "llm-router/")) == {"costPerHour": 0.25, "models": ["tiny", "big:7b"]}
    assert from_texts({"models": '[{"name": "a", "contextLength": 8}]'}) == {
        "models": [{"name": "a", "contextLength": 8}]
    }
    assert from_texts({"models": "[oops"}) == {"models": "[oops"}
    assert from_texts({"compliance": "", "region": "7"}) == {"compliance": [], "region": "7"}


def test_an_annotation_made_to_exhaust_the_parser_is_refused_like_any_other() -> None:
    assert reason(**from_texts({"models": "[" * 200_000})).startswith("models: must be a list")


@given(st.lists(st.text(max_size=80), min_size=1, max_size=3))
def test_every_name_can_be_a_clusters(parts: list[str]) -> None:
    data = {"name": name_of(*parts), "endpoint": "http://10.0.0.1"}
    assert decode(data, Entry, KeepReferences()).problems == (), quote(str(parts))


def test_a_good_name_stays_and_others_stay_apart() -> None:
    assert name_of("llama", "models") == "llama.models"
    assert len(name_of("x" * 63, "y" * 63)) == 63
    assert len({name_of("a/b"), name_of("a:b"), name_of("a-b"), name_of("x" * 70), name_of("x" * 71)}) == 5


@given(st.dictionaries(st.sampled_from([*KEYS, "endpoint", "oops"]), st.one_of(st.text(), st.integers(), st.none())))
def test_whatever_an_entry_holds_nothing_is_raised(data: dict[str, object]) -> None:
    found, unfit = assemble(config(), [Instance("x", data)])
    assert len(found.clusters) + len(unfit) == 1
