"""The loopback rule, and that the list of refusals is complete; each single refusal has its fixture (test_load)."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import ModuleType

import pytest
import trustme

from llm_router.config import check as checking
from llm_router.config.check import REFUSALS, REMARKS, WEAKNESSES, check, one_per_path
from llm_router.config.checks import clusters, discovery, listeners, names, providers, routing, rules, unavailable
from llm_router.config.checks.draft import Draft
from llm_router.config.decode import SecretUse
from llm_router.config.findings import Finding, show
from llm_router.config.load import load, parse
from llm_router.config.scalars import Secret
from llm_router.config.schema import Admin, Cluster, Config, Provider, Server
from llm_router.errors import ConfigError
from tests.router.config.environment import ENV, gate_key


@pytest.mark.parametrize("module", [clusters, discovery, listeners, names, providers, routing, rules, unavailable])
def test_no_check_is_written_and_forgotten(module: ModuleType) -> None:
    written = {
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and list(inspect.signature(function).parameters) == ["draft"]
    }
    assert written
    assert written <= {*REFUSALS, *WEAKNESSES, *REMARKS}


def drafted(*, host: str = "127.0.0.1", admin: str = "127.0.0.1", secret: str = "your-shared-secret") -> Draft:  # noqa: S107
    cluster = Cluster(name="c", endpoint="https://gate.example.com", shared_secret=Secret(secret))
    config = Config(server=Server(host=host), admin=Admin(host=admin), clusters=(cluster,))
    return Draft(config, (SecretUse(("clusters", 0, "sharedSecret"), Secret(secret), "literal"),))


@pytest.mark.parametrize("secret", ["your-shared-secret", "0a1b2c3d4e5f6g7h", gate_key(1)])
def test_a_weak_secret_is_a_warning_while_every_listener_is_loopback(secret: str) -> None:
    verdict = check(drafted(secret=secret))
    assert not verdict.problems
    assert [show(path) for path, _ in verdict.warnings] == ["clusters[0].sharedSecret"]


@pytest.mark.parametrize(("host", "admin"), [("::", "127.0.0.1"), ("127.0.0.1", "10.0.0.1"), ("10.0.0.1", "::")])
@pytest.mark.parametrize("secret", ["your-shared-secret", "0a1b2c3d4e5f6g7h", gate_key(1)])
def test_and_a_refusal_when_one_listener_is_not(host: str, admin: str, secret: str) -> None:
    verdict = check(drafted(host=host, admin=admin, secret=secret))
    assert "clusters[0].sharedSecret" in [show(path) for path, _ in verdict.problems]
    assert not verdict.warnings


def test_one_value_is_told_about_once_and_the_first_word_counts() -> None:
    findings = [Finding(("a",), "first"), Finding(("b",), "other"), Finding(("a",), "second")]
    assert one_per_path(findings) == (findings[0], findings[1])


def test_a_disabled_provider_is_not_judged() -> None:
    provider = Provider(name="p", type="nothing-known", enabled=False, api_key=Secret("x"), base_url="ftp://x")
    config = Config(
        clusters=(Cluster(name="c", endpoint="http://[::1]:1", auth_type="none"),), external_providers=(provider,)
    )
    secret = SecretUse(("externalProviders", 0, "apiKey"), Secret("x"), "literal")
    assert check(Draft(config, (secret,))) == ((), ())


def test_tls_files_that_are_there_are_accepted(tmp_path: Path) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    text = "server: {tls: {certFile: both.pem, keyFile: both.pem}}\nclusters:\n"
    text += "  - {name: c, endpoint: https://g.example.com, sharedSecret: ${GATE_KEY}, tls: {caFile: both.pem}}\n"
    file = tmp_path / "router.yaml"
    file.write_text(text)
    config = load(str(file), ENV).config
    assert config.server.tls
    assert config.server.tls.cert_file == str(tmp_path / "both.pem")
    assert config.clusters[0].tls
    assert config.clusters[0].tls.ca_file == str(tmp_path / "both.pem")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told_apart_from_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("keys: []\n")
    (tmp_path / "keys.yaml").chmod(0)
    text = "access: {apiKeysFile: keys.yaml}\nclusters: [{name: c, endpoint: 'http://[::1]', authType: none}]\n"
    with pytest.raises(ConfigError, match="may not be read by this user"):
        parse(text, str(tmp_path / "router.yaml"), {})


def test_the_checks_are_listed_where_a_reader_looks_for_them() -> None:
    assert len(set(checking.REFUSALS)) == len(checking.REFUSALS)
