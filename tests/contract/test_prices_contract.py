"""Who deploys and the exporter read Google's price list apart, since neither imports the other: for the same machine
they look for the same SKUs, and say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from llm_infra.gcp import prices
from llm_infra.settings.model import NodePool
from llm_infra.tables.machines import CPU_MACHINES, GPU_MACHINES
from llm_router.exporter.prices.gcp_billing import GcpBilling
from llm_router.exporter.prices.gcp_machine import parts_of
from tests.infra.settings.settings import loaded
from tests.router.edge import run, served
from tests.router.exporter.prices.standins import NOW, GcpBillingApi

PLATFORM = loaded("gcp").platform


def pools() -> Iterator[Any]:
    assert PLATFORM.gpu is not None
    for pool, machines in ((PLATFORM.cpu, CPU_MACHINES), (PLATFORM.gpu, GPU_MACHINES)):
        for name in machines["gcp"]:
            for spot in (True, False):
                named = name + ("+t4" if pool is PLATFORM.gpu else "")
                chosen = replace(pool, machine_types=(name,), spot=spot)
                yield pytest.param(chosen, named, id=f"{named} {'spot' if spot else 'on demand'}")


@pytest.mark.parametrize(("pool", "machine_type"), list(pools()))
def test_both_take_a_machine_apart_alike(pool: NodePool, machine_type: str) -> None:
    theirs = [(part.quantity, part.unit, part.spot if pool.spot else part.on_demand) for part in parts_of(machine_type)]
    assert [(part.quantity, part.unit, part.name) for part in prices.parts(pool)] == theirs


class Token:
    async def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {GcpBillingApi.token}"}


@pytest.mark.parametrize("spot", [True, False])
def test_both_say_the_same_of_the_same_list(spot: bool) -> None:
    assert PLATFORM.gpu is not None
    with served(GcpBillingApi()) as (host, port):
        url = f"http://{host}:{port}"
        exporter = GcpBilling(
            "n1-standard-4+t4", PLATFORM.region, spot=spot, credentials=Token(), unix_time=lambda: NOW, url=url
        )

        async def asked() -> float:
            try:
                return await exporter.usd_per_hour()
            finally:
                await exporter.aclose()

        usd = run(asked())
        price_list = prices.PriceList(
            lambda region: prices.listed(region, url=f"{url}/v1/", token=GcpBillingApi.token, project="p")
        )
        found = price_list.ask(PLATFORM, replace(PLATFORM.gpu, spot=spot))
    assert found is not None
    assert found.usd_per_hour == float(f"{usd:.2g}")
