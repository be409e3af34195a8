"""The real etcd: one for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.router.discovery.etcd_server import EtcdServer, running_etcd


@pytest.fixture(scope="session")
def etcd_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with running_etcd(tmp_path_factory.mktemp("etcd")) as server:
        yield server


@pytest.fixture
def etcd(etcd_of_the_session: EtcdServer) -> EtcdServer:
    """Empty, without authentication."""
    etcd_of_the_session.clear()
    return etcd_of_the_session
