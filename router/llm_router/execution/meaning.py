"""Which categories a prompt belongs to, by what it means: the configured embedding model is asked, else letters count.

A prompt goes to the embedding model only if the request may go to whoever serves it: compliance, residency, scopes and
a pinned target hold here as they do for the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from ..config.schema import Category, CircuitBreaker
from ..errors import AttemptFailed, TargetLimited
from ..model import Facts, Requirements, Snapshot, Usage, View
from ..pricing.money import booked
from ..pricing.records import AttemptRecord
from ..routing.categories import SCANNED_CHARACTERS, Categories, Meanings
from ..routing.policy import Policy
from ..routing.requirements import Question, checks_for, reject
from ..signals.snapshot import Board
from ..state.counters import Lease
from ..telemetry.metrics import Metrics
from ..telemetry.trouble import Trouble
from ..upstream.embeddings import Embedded, Embedder, expected_usage
from .breaker import Breaker
from .limiting import Limiting
from .settle import actual_usd

LEARN_TIMEOUT_S = 10.0
"""For the examples, all at once, while no request waits."""
RELEARN_S = 5.0
"""How often the examples are tried again until they are known."""
BREAKER = CircuitBreaker(failure_threshold=3, success_threshold=1)
"""Nobody should wait for an embedding model that does not answer: letters do until it is back."""

OUTCOME = "embedding"
"""How the ledger tells this from an attempt to answer."""

_ASKED = frozenset(
    {"target_not_allowed", "not_asked_for", "compliance", "residency", "external_disabled", "state", "unhealthy"}
)

logger = logging.getLogger("llm_router.meaning")


class Belonging(Struct, frozen=True):
    """The categories of one prompt, and what asking for them cost, where anybody was asked."""

    categories: frozenset[str]
    asked: AttemptRecord | None = None


class Meaning:
    """``embedder`` is ``None`` where no embedding model is configured. ``clock`` is monotonic seconds."""

    name = "embeddings"

    def __init__(
        self,
        categories: Categories,
        examples: Sequence[Category] = (),
        embedder: Embedder | None = None,
        *,
        board: Board,
        policy: Policy,
        limiting: Limiting,
        metrics: Metrics,
        clock: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self.made_for = (tuple(examples), None if embedder is None else embedder.target)
        self.meanings: Meanings | None = None
        self._categories, self._examples, self._embedder = categories, tuple(examples), embedder
        self._board, self._policy, self._limiting = board, policy, limiting
        self._metrics, self._clock, self._timeout_s = metrics, clock, timeout_s
        self._breaker = Breaker(BREAKER)
        self._trouble = Trouble(logger, "categories are told by meaning again")

    @property
    def learns(self) -> bool:
        """Whether there are examples to be embedded."""
        return self._embedder is not None

    def adopt(self, old: Meaning) -> None:
        """Take over what an earlier generation learnt of the same examples by the same model."""
        if self.made_for == old.made_for:
            self.meanings, self._breaker = old.meanings, old._breaker

    async def of(self, text: str, requirements: Requirements, request_id: str, key_name: str | None) -> Belonging:
        """Never raises: where meanings cannot be told, letters count. It is paid from the budgets of this key and of
        whoever embeds."""
        if self._embedder is None or not self._categories or not text:
            return Belonging(self._categories.of(text))
        how, belonging = await self._told(self._embedder, text, requirements, request_id, key_name)
        self._metrics.embedded(self._embedder.target, how)
        return belonging or Belonging(self._categories.of(text))

    async def poll(self) -> None:
        """Learn the examples, once."""
        if self._embedder is None or self.meanings is not None:
            return
        texts = [text for category in self._examples for text in category.examples]
        try:
            async with asyncio.timeout(LEARN_TIMEOUT_S):
                embedded, _ = await self._embed(self._embedder, texts, "examples", None)
        except (AttemptFailed, TimeoutError) as failure:
            self._trouble.is_(f"{self._embedder.target.name} embeds no examples, letters count: {_why(failure)}")
            return
        vectors = iter(embedded.vectors)
        self.meanings = Meanings({c.name: [next(vectors) for _ in c.examples] for c in self._examples})
        self._trouble.ends()

    async def _told(
        self, embedder: Embedder, text: str, requirements: Requirements, request_id: str, key_name: str | None
    ) -> tuple[str, Belonging | None]:
        """``(outcome, what it belongs to)``; ``None`` where that cannot be told."""
        if self.meanings is None:
            return "not_ready", None
        if not self._may_go(embedder, requirements):
            return "not_allowed", None
        if self._breaker.state(self._clock()) == "open":
            return "breaker_open", None
        began = self._clock()
        try:
            async with asyncio.timeout(self._timeout_s):
                embedded, record = await self._embed(embedder, [text], request_id, key_name)
            cosines = self.meanings(embedded.vectors[0])
        except TargetLimited:
            return "limited", None
        except (AttemptFailed, TimeoutError, ValueError) as failure:
            self._breaker.failed(self._clock(), began)
            self._trouble.is_(f"{embedder.target.name} embeds no prompts, letters count: {_why(failure)}")
            return "timeout" if isinstance(failure, TimeoutError) else "failed", None
        self._breaker.succeeded(self._clock(), began)
        self._trouble.ends()
        return "ok", Belonging(self._categories.meant(cosines), record)

    async def _embed(
        self, embedder: Embedder, texts: Sequence[str], request_id: str, key_name: str | None
    ) -> tuple[Embedded, AttemptRecord]:
        """Reserved beforehand and settled with the truth, as an attempt to answer is. Raises ``AttemptFailed``."""
        target, scanned = embedder.target, [text[:SCANNED_CHARACTERS] for text in texts]
        lease: Lease | None = None
        if self._limiting.concerns(target, key_name):
            expected = expected_usage(scanned)
            lease = await self._limiting.reserve(target, key_name, expected.all_tokens, self._usd(embedder, expected))
        usage: Usage | None = None
        usd: float | None = None
        try:
            embedded = await embedder.embed(scanned, request_id)
            usage, usd = embedded.usage, self._usd(embedder, embedded.usage)
        finally:
            if lease is not None:
                self._limiting.settle(lease, target, usage, usd)
        self._metrics.spent(target, usage, usd)
        return embedded, AttemptRecord(target.name, OUTCOME, usage, usd)

    def _usd(self, embedder: Embedder, usage: Usage) -> float | None:
        return booked(actual_usd(embedder.target, self._view(embedder).cost, usage))

    def _may_go(self, embedder: Embedder, requirements: Requirements) -> bool:
        view = self._view(embedder)
        facts = Facts(model=view.target.model, requirements=requirements)
        question = Question(facts, Snapshot((view,), self._clock()), self._policy)
        checks = [(code, check) for code, check in checks_for(question) if code in _ASKED]
        return reject(view, question, checks) is None

    def _view(self, embedder: Embedder) -> View:
        """How the owner is doing, as signals about its other models tell it."""
        known = self._board.of(embedder.target.owner)
        return structs.replace(known[0], target=embedder.target) if known else View(target=embedder.target)


def _why(failure: Exception) -> str:
    return "it took too long" if isinstance(failure, TimeoutError) else str(failure)
