"""``llm-router explain``: the decision of a configuration alone, without a running router."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from .api.requirements import read_requirements
from .config.load import Loaded
from .model import Decision
from .pricing.cluster_cost import cluster_cost
from .pricing.list_prices import PriceBook
from .printing import print_table, standard_output
from .routing.categories import Categories
from .routing.engine import decide, policy_of
from .routing.explain import COLUMNS, as_lines, as_table
from .routing.facts import NEEDS, facts_of, read_chat
from .routing.targets import build_targets
from .routing.vocabulary import vocabulary_of
from .signals.pool import slots_of
from .signals.snapshot import Board
from .upstream.wire import WIRES


def explain_request(loaded: Loaded, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Decision:
    """The decision for ``body`` with every target healthy and every cluster at its configured cost. Raises what the
    router would answer: ``ClientError`` or ``NoTarget``."""
    config = loaded.config
    targets = build_targets(config, PriceBook(datetime.now(UTC)))
    board = Board(targets, time.monotonic)
    for target in targets:
        board.post(target.name, health="healthy")
    for cluster in config.clusters:
        cost = cluster_cost(cluster, config.router.cost, None, time.time())
        board.post_owner(cluster.name, cost=cost)
        nodes = max(1, cluster.scaling.min_nodes)
        wanted = nodes if cluster.scaling.min_nodes < cluster.scaling.max_nodes else None
        board.post_pool(cluster.name, nodes=nodes, wanted=wanted, slots=slots_of(cluster, None, nodes))
    asked = read_requirements(headers, None, vocabulary_of(config, targets))
    facts = facts_of(
        read_chat(body, config.router.max_tokens),
        asked.requirements,
        strategy=asked.strategy,
        session=asked.session,
        categories=Categories(config.router.categories),
        client_region=asked.client_region,
        headers=asked.headers,
    )
    policy = policy_of(config, {name: wire.unsupported(NEEDS) for name, wire in WIRES.items()})
    return decide(facts, board.snapshot(), policy)


def render(decision: Decision) -> None:
    """The request's facts and the decision as a table, on standard output."""
    console = standard_output()
    for what, value in as_lines(decision.facts):
        console.print(f"{what:>14}  {value}", markup=False, highlight=False)
    title = f"strategy {decision.strategy}" + (f", rule {decision.rule}" if decision.rule else "")
    print_table(console, COLUMNS, as_table(decision), title=title)
