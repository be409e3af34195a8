from __future__ import annotations

import pytest

from llm_router.config.hosts import host_fault, is_loopback, resolved_fault, url_fault


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)


ANY_INTERFACE = ["", "0.0.0.0", "::"]  # noqa: S104 -- refused, not bound


@pytest.mark.parametrize(
    "host",
    [*ANY_INTERFACE, "10.0.0.1", "localhost.example.com", "notlocalhost", "127.1", "2130706433", "::ffff:10.0.0.1"],
)
def test_what_others_may_reach_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://gate.example.com",
        "https://gate.example.com:8443/v1/",
        "https://10.1.2.3",
        "https://[2001:db8::1]:8443",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/v1",
        "http://localhost",
    ],
)
def test_endpoints_that_may_be_used(url: str) -> None:
    assert url_fault(url, private=False) is None


@pytest.mark.parametrize("url", ["http://10.1.2.3:8080", "http://llm.internal", "http://gate_1.llm.svc:80"])
def test_plain_http_elsewhere_needs_to_be_meant(url: str) -> None:
    assert "private: true" in (url_fault(url, private=False) or "")
    assert url_fault(url, private=True) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gate.example.com",
        "//gate.example.com",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://:443",
        "https://a b",
        "https://a\\@b",
        "https://a\n.example.com",
        "https://user@a.example.com",
        "https://user:pw@a.example.com",
        "https://a.example.com?x=1",
        "https://a.example.com/#x",
        "https://a.example.com?",
        "https://a.example.com:0x50",
        "https://a.example.com:70000",
        "https://[::1",
        "https://ä.example.com",
        "https://a..example.com",
        "https://-a.example.com:1:2",
    ],
)
def test_endpoints_that_nobody_can_mean(url: str) -> None:
    assert url_fault(url, private=True) is not None


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0x7f.1",
        "127.1",
        "0xA9FEA9FE",
        "::ffff:169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "240.0.0.1",
        "255.255.255.255",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
        *ANY_INTERFACE[1:],
        "224.0.0.1",
    ],
)
def test_metadata_services_and_disguised_addresses_are_no_targets(host: str) -> None:
    assert host_fault(host) is not None
    bracketed = f"[{host}]" if ":" in host else host
    assert url_fault(f"https://{bracketed}/", private=True) is not None


@pytest.mark.parametrize("host", ANY_INTERFACE[1:])
def test_where_one_listens_nobody_can_be_asked(host: str) -> None:
    assert "write 127.0.0.1" in (host_fault(host) or "")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_name_may_lead_to_any_public_address(address: str) -> None:
    assert resolved_fault("api.example.com", address, private=False) is None


PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "fec0::1",
    "198.18.0.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_leads_into_a_private_network_only_where_that_is_meant(address: str) -> None:
    assert "private: true" in (resolved_fault("api.example.com", address, private=False) or "")
    assert resolved_fault("api.example.com", address, private=True) is None


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "nonsense",
        *ANY_INTERFACE[1:],
    ],
)
@pytest.mark.parametrize("host", ["api.example.com", "localhost"])
def test_no_name_leads_to_a_metadata_service_or_nowhere(address: str, host: str) -> None:
    for private in (False, True):
        assert resolved_fault(host, address, private=private) is not None


def test_localhost_leads_to_this_machine_and_nowhere_else() -> None:
    assert resolved_fault("localhost", "127.0.0.1", private=False) is None
    assert resolved_fault("localhost.", "::1", private=False) is None
    assert resolved_fault("localhost", "10.0.0.1", private=False) is not None


def test_an_address_that_the_operator_wrote_is_meant() -> None:
    assert resolved_fault("10.0.0.1", "10.0.0.1", private=False) is None
    assert resolved_fault("127.1", "127.0.0.1", private=False) is not None
