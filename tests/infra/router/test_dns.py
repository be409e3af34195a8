"""The DNS records of a router on a plain machine: what is asked of which cloud, and what is refused beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from llm_infra.clouds import CLOUDS
from tests.infra import programs
from tests.infra.emulation import outputs
from tests.infra.programs import Recorded

HOST = "router.llm.example.com"
ZONES: dict[str, dict[str, Any]] = {
    "aws": {"dnsCloud": "aws", "dnsZone": "example.com"},
    "gcp": {"dnsCloud": "gcp", "dnsZone": "example.com"},
    "azure": {"dnsCloud": "azure", "dnsZone": "example.com", "dnsResourceGroup": "names"},
}
ADDRESSES = ["198.51.100.8", "198.51.100.7", "2001:db8::7", "198.51.100.7"]


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    """The operator's API keys, beside the program; git ignores them."""
    path = programs.INFRA / "router" / "dns-keys.yaml"
    path.write_text("keys: [{name: me, sha256: 0000000000000000000000000000000000000000000000000000000000000000}]\n")
    yield
    path.unlink()


def run(changes: dict[str, Any], stacks: dict[str, dict[str, Any]] | None = None) -> Recorded:
    delivery = {"deliver": "vm", "host": HOST, "image": "ghcr.io/example/llm-router:1", "keysFile": "dns-keys.yaml"}
    config = {f"llm-router:{key}": value for key, value in {**delivery, **changes}.items()}
    return programs.run("router", "dev", config, stacks=stacks)


def made(recorded: Recorded) -> list[dict[str, Any]]:
    (component,) = recorded.of("RouterRecords")
    records = [resource for resource in recorded.resources if resource.parent == component.urn]
    return [record.inputs for record in sorted(records, key=lambda record: record.name)]


def test_route_53_gets_a_record_for_each_kind_of_address() -> None:
    a, aaaa = made(run({**ZONES["aws"], "addresses": ADDRESSES}))
    assert a == {
        "zoneId": "Z0123456789EXAMPLE",
        "name": HOST,
        "type": "A",
        "ttl": 300,
        "records": ["198.51.100.7", "198.51.100.8"],
    }
    assert (aaaa["type"], aaaa["records"]) == ("AAAA", ["2001:db8::7"])


def test_cloud_dns_gets_them_in_the_public_zone() -> None:
    a, aaaa = made(run({**ZONES["gcp"], "addresses": ADDRESSES}))
    assert a == {
        "managedZone": "outside",
        "name": f"{HOST}.",
        "type": "A",
        "ttl": 300,
        "rrdatas": ["198.51.100.7", "198.51.100.8"],
    }
    assert (aaaa["type"], aaaa["rrdatas"]) == ("AAAA", ["2001:db8::7"])


@pytest.mark.parametrize(("host", "relative"), [(HOST, "router.llm"), ("example.com", "@")])
def test_azure_gets_them_by_the_name_within_the_zone(host: str, relative: str) -> None:
    a, aaaa = made(run({**ZONES["azure"], "host": host, "addresses": ADDRESSES}))
    assert a == {
        "resourceGroupName": "names",
        "zoneName": "example.com",
        "relativeRecordSetName": relative,
        "recordType": "A",
        "ttl": 300,
        "aRecords": [{"ipv4Address": "198.51.100.7"}, {"ipv4Address": "198.51.100.8"}],
    }
    assert (aaaa["recordType"], aaaa["aaaaRecords"]) == ("AAAA", [{"ipv6Address": "2001:db8::7"}])


def test_before_the_machine_has_an_address_there_is_its_document_and_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pulumi.log.info", told.append)
    recorded = run(ZONES["aws"])
    assert "cloudInit" in recorded.stack_outputs
    assert not recorded.of("RouterRecords")
    assert told == [f"addresses: none yet: {HOST} gets its record once the machine has one and it is set here"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_zone_that_the_cloud_does_not_have_ends_the_program(cloud: str) -> None:
    service = {"aws": "Route 53", "gcp": "Cloud DNS", "azure": "Azure DNS"}[cloud]
    changes = {**ZONES[cloud], "dnsZone": "example.org", "host": "router.example.org", "addresses": ["198.51.100.7"]}
    with pytest.raises(pulumi.RunError, match=rf"^dnsZone: {service} .* public zone example.org.*: make it there"):
        run(changes)


def test_of_two_public_zones_nobody_can_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    zone = {"dnsName": "example.com.", "visibility": "public"}
    twice = {"managedZones": [{"name": name, **zone} for name in ("old", "new")], "id": "x", "project": "p"}
    monkeypatch.setitem(outputs._LOOKUPS, "gcp:dns/getManagedZones:getManagedZones", lambda args: twice)
    with pytest.raises(pulumi.RunError, match=r"several zones example.com \(new, old\): keep the delegated one"):
        run({**ZONES["gcp"], "addresses": ["198.51.100.7"]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"addresses": ["198.51.100.7"]},
            "dnsCloud: not set: name the cloud that has the host's zone, one of aws, gcp",
        ),
        ({"dnsZone": "example.com"}, "dnsCloud: not set"),
        ({"dnsCloud": "oracle"}, "dnsCloud: 'oracle' is none of aws, gcp, azure"),
        ({**ZONES["aws"], "deliver": "none"}, "dnsCloud: set, but deliver is none: take it away"),
        ({**ZONES["aws"], "deliver": "kubernetes"}, "in a cluster external-dns writes the host's records"),
        ({"dnsCloud": "aws"}, "dnsZone: '': name the zone that router.llm.example.com is in"),
        ({**ZONES["aws"], "dnsZone": "ample.com"}, "dnsZone: router.llm.example.com is not in ample.com"),
        ({**ZONES["azure"], "dnsResourceGroup": None}, "dnsResourceGroup: not set: name the resource group that has"),
        ({**ZONES["gcp"], "dnsResourceGroup": "names"}, "dnsResourceGroup: gcp knows no such thing"),
        ({**ZONES["aws"], "addresses": ["router"]}, "addresses: 'router' is not an address such as 198.51.100.7"),
        ({**ZONES["aws"], "addresses": ["127.0.0.1"]}, "addresses: 127.0.0.1 is none that callers could reach"),
        ({**ZONES["aws"], "addresses": ["::"]}, "addresses: :: is none that callers could reach"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run(changes)
    assert message in str(caught.value)


def test_a_name_that_a_stack_has_delegated_is_not_looked_for_elsewhere() -> None:
    stacks = {"organization/llm-aws/dev": programs.as_shipped("aws", "dev").stack_outputs}

    def refusal(**changes: Any) -> str:
        with pytest.raises(pulumi.RunError) as caught:
            run({**ZONES["aws"], "addresses": ["198.51.100.7"], **changes}, stacks)
        return str(caught.value)

    assert "host: aws.llm.example.com is a gate of organization/llm-aws/dev" in refusal(host="aws.llm.example.com")
    hidden = refusal(host="router.aws.llm.example.com")
    assert "would not be found in example.com: organization/llm-aws/dev has a zone aws.llm.example.com" in hidden
    within = {"host": "router.aws.llm.example.com", "dnsZone": "aws.llm.example.com"}
    assert "Route 53 does not tell of a public zone aws.llm" in refusal(**within), "that zone is asked for"
    assert made(run({**ZONES["aws"], "addresses": ["198.51.100.7"]}, stacks))
