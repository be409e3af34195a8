"""Complete answers teach what to expect of the next ones, and show how far off the expectation was."""

from __future__ import annotations

from ..model import Choice, Facts, Target, Usage
from ..pricing.estimate import expected_usage
from ..pricing.expectations import Expectations
from ..routing.targets import DISCOVERED_MODEL
from ..signals.snapshot import Board
from ..telemetry.metrics import Metrics


class Learning:
    """One a router, so that what was learnt outlives a configuration; ``post_to`` names the board that is told."""

    def __init__(self, board: Board, metrics: Metrics) -> None:
        self._expectations = Expectations()
        self._board, self._metrics = board, metrics
        self._post()

    def post_to(self, board: Board) -> None:
        """From now on tell this board, all that is known at once."""
        self._board = board
        self._post()

    def learn(self, choice: Choice, facts: Facts, usage: Usage, cost_usd: float | None) -> None:
        """A complete answer of this choice: ``usage`` as the target reported it, and what it cost."""
        target = choice.target
        if usage.estimated:
            return
        view = self._board.find(target.name)
        if view is not None:
            expected = expected_usage(view, facts)
            self._metrics.estimated(target, "input_tokens", expected.input_tokens, usage.all_input_tokens)
            self._metrics.estimated(target, "output_tokens", expected.output_tokens, usage.output_tokens)
        self._metrics.estimated(target, "usd", choice.estimated_usd, cost_usd)
        if self._expectations.learn(_taught(target), facts, usage):
            self._post()

    def _post(self) -> None:
        for view in self._board.snapshot().views:
            expected = self._expectations.of(_taught(view.target))
            if expected is not view.expected:
                self._board.post(view.target.name, expected=expected)


def _taught(target: Target) -> str:
    """By what name a target's answers are learnt from: equal models count and answer alike, wherever they run; what a
    cluster without declared models serves, only it knows."""
    return target.name if target.model == DISCOVERED_MODEL else target.model
