from __future__ import annotations

import pytest

from llm_router.config.hosts import host_fault, is_loopback, url_fault


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
