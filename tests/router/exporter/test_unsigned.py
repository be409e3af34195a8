"""What the exporter tells whoever asks: metrics for Prometheus, the status for the gate."""

from __future__ import annotations

import msgspec

from llm_router.exporter.metrics import Figures
from llm_router.exporter.unsigned import create_app
from llm_router.model import ClusterStatus, PoolCost, TokensPerSecond
from tests.router.edge import Reply, ask, run, serving

STATUS = ClusterStatus(
    target="aws",
    state="up",
    node_usd_per_hour=0.378,
    price_source="table",
    price_age_s=86400.0,
    slots_total=4,
    slots_busy=1,
    tokens_per_second=TokensPerSecond(capacity=20.0, realised=0.0, prefill=400.0),
    usd_per_1k_tokens=PoolCost(capacity=0.005775, realised=None, marginal=0.0),
    measured_at=1_794_000_000.0,
)


FIGURES = Figures(
    pool="aws",
    status=STATUS,
    servers=["up", "down", "up"],
    tokens={"output": 959.0, "input": 120.0},
    fetches={("aws_spot", "accepted"): 3, ("aws_spot", "refused"): 1},
    asked={"answered": 7},
)


def answer(path: str, figures: Figures = FIGURES, **how: bool) -> Reply:
    async def scenario() -> Reply:
        async with serving(create_app(lambda: figures, **how)) as address:
            return await ask(address, "GET", path)

    return run(scenario())


def samples(text: str) -> set[str]:
    return {line for line in text.splitlines() if not line.startswith("#")}


def test_the_metrics_have_the_names_of_the_contract_and_leave_out_what_is_unknown() -> None:
    reply = answer("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert samples(reply.body.decode()) == {
        'llm_cluster_node_usd_per_hour{pool="aws",source="table"} 0.378',
        'llm_cluster_tokens_per_second{basis="capacity",pool="aws"} 20.0',
        'llm_cluster_tokens_per_second{basis="realised",pool="aws"} 0.0',
        'llm_cluster_tokens_per_second{basis="prefill",pool="aws"} 400.0',
        'llm_cluster_usd_per_1k_tokens{basis="capacity",pool="aws"} 0.005775',
        'llm_cluster_usd_per_1k_tokens{basis="marginal",pool="aws"} 0.0',
        'llm_cluster_price_age_seconds{pool="aws"} 86400.0',
        'llm_cluster_nodes{pool="aws"} 1.0',
        'llm_cluster_queue_depth{pool="aws"} 0.0',
        'llm_cluster_slots{pool="aws",state="busy"} 1.0',
        'llm_cluster_slots{pool="aws",state="free"} 3.0',
        'llm_cluster_servers{pool="aws",state="up"} 2.0',
        'llm_cluster_servers{pool="aws",state="starting"} 0.0',
        'llm_cluster_servers{pool="aws",state="down"} 1.0',
        'llm_cluster_tokens_total{pool="aws",type="output"} 959.0',
        'llm_cluster_tokens_total{pool="aws",type="input"} 120.0',
        'llm_cluster_price_fetches_total{pool="aws",result="accepted",source="aws_spot"} 3.0',
        'llm_cluster_price_fetches_total{pool="aws",result="refused",source="aws_spot"} 1.0',
        'llm_cluster_status_requests_total{pool="aws",result="answered"} 7.0',
    }


def test_the_status_is_what_the_router_decodes() -> None:
    reply = answer("/cluster/status")
    assert msgspec.json.decode(reply.body, type=ClusterStatus) == STATUS


def test_before_the_first_measurement_there_are_no_figures() -> None:
    unknown = Figures(pool="aws")
    assert answer("/cluster/status", unknown).status == 503
    assert samples(answer("/metrics", unknown).body.decode()) == set()
    assert answer("/livez", unknown).status == 200
    assert answer("/elsewhere", unknown).status == 404


def test_elsewhere_than_on_loopback_there_are_metrics_and_no_status() -> None:
    assert answer("/metrics", metrics_only=True).status == 200
    assert answer("/livez", metrics_only=True).status == 200
    assert answer("/cluster/status", metrics_only=True).status == 404
