"""The end of every request: one ledger record and one set of metrics, exactly once, however it ended."""

from __future__ import annotations

from collections.abc import Callable

from ..model import Choice, ClusterCost, Target, Usage
from ..pricing.estimate import cluster_usd, list_usd
from ..pricing.ledger import Ledger
from ..pricing.money import booked, in_usd, picousd
from ..pricing.records import AttemptRecord, Record
from ..signals.snapshot import Board
from ..telemetry.metrics import Metrics
from .exchange import Exchange, Tried
from .learning import Learning

CLIENT_GONE = 499
"""nginx's status for a client that left; it is never sent, only recorded."""


class Settlement:
    """``clock`` is monotonic, in seconds."""

    def __init__(
        self, board: Board, ledger: Ledger, metrics: Metrics, learning: Learning, clock: Callable[[], float]
    ) -> None:
        self._board, self._ledger, self._metrics, self._clock = board, ledger, metrics, clock
        self._learning = learning

    def settle(self, exchange: Exchange, status: int) -> Record:
        """Account for the exchange, once. Its cost is that of all attempts that somebody charges for, the answering
        one and those that failed with tokens sent; ``None`` as soon as one of them has no known price."""
        attempts = tuple(self._booked(tried) for tried in exchange.trail)
        charged = attempts if exchange.aside is None else (exchange.aside, *attempts)
        costs = [attempt.cost_usd for attempt in charged if attempt.usage is not None]
        record = self._record(exchange, status, charged, None if None in costs else _sum(costs))
        self._ledger.settle(record)
        for tried, attempt in zip(exchange.trail, attempts, strict=True):
            if attempt.usage is not None:
                self._metrics.spent(tried.choice.target, attempt.usage, attempt.cost_usd)
                if attempt.outcome == "ok":
                    self._learning.learn(tried.choice, exchange.decision.facts, attempt.usage, attempt.cost_usd)
        if record.savings_usd is not None and record.baseline is not None:
            self._metrics.saved(record.baseline, record.savings_usd)
        answering = exchange.answering
        first_content_at = exchange.first_content_at
        self._metrics.answered(
            answering.choice.target if answering else None,
            status,
            self._clock() - exchange.started_at,
            None if first_content_at is None else first_content_at - exchange.started_at,
        )
        exchange.admission.settle(sum(attempt.usage.all_tokens for attempt in attempts if attempt.usage is not None))
        exchange.settled = True
        return record

    def _booked(self, tried: Tried) -> AttemptRecord:
        return AttemptRecord(tried.choice.target.name, tried.outcome, tried.usage, self._usd(tried))

    def _record(
        self, exchange: Exchange, status: int, attempts: tuple[AttemptRecord, ...], cost_usd: float | None
    ) -> Record:
        answering = exchange.answering
        usage = answering.usage if answering is not None and answering.usage is not None else Usage()
        baseline = exchange.decision.baseline
        baseline_usd = None
        if answering is not None and baseline is not None and baseline.list_price is not None and usage.all_tokens:
            baseline_usd = booked(list_usd(baseline.list_price, _elsewhere(usage, answering.choice, baseline)))
        target = answering.choice.target if answering is not None else None
        return Record(
            request_id=exchange.request_id,
            started_at=exchange.unix_time,
            # By the monotonic clock: the wall clock may have jumped meanwhile.
            settled_at=exchange.unix_time + self._clock() - exchange.started_at,
            target=target.name if target else None,
            kind=target.kind if target else None,
            model=target.model if target else "",
            reason=exchange.reason_of(answering.choice) if answering else "",
            status=status,
            attempts=attempts,
            usage=usage,
            cost_usd=cost_usd,
            baseline=baseline.name if baseline is not None and baseline_usd is not None else None,
            baseline_usd=baseline_usd,
            key=exchange.key_name,
        )

    def _usd(self, tried: Tried) -> float | None:
        return None if tried.usage is None else booked(actual_usd(tried.choice.target, self._cost(tried), tried.usage))

    def _cost(self, tried: Tried) -> ClusterCost | None:
        return self._board.view(tried.choice.target.name).cost


def actual_usd(target: Target, cost: ClusterCost | None, usage: Usage) -> float | None:
    """What this usage costs at this target: list price at a provider, capacity cost at a cluster; ``None`` if no
    price is known."""
    if target.kind == "provider":
        return None if target.list_price is None else list_usd(target.list_price, usage)
    return None if cost is None else cluster_usd(cost, usage)


def _elsewhere(usage: Usage, answering: Choice, baseline: Target) -> Usage:
    """The same tokens at the baseline. What one target had cached, another has not."""
    if answering.target.owner == baseline.owner:
        return usage
    return Usage(input_tokens=usage.all_input_tokens, output_tokens=usage.output_tokens)


def _sum(costs: list[float | None]) -> float | None:
    return booked(in_usd(sum(picousd(cost) for cost in costs if cost is not None)))
