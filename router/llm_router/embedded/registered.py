"""A provider as the embedded router knows it: a target with its board, its standing and its counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from ..config.schema import CircuitBreaker, Latency
from ..errors import AttemptFailed, ClientError, UpstreamBroken
from ..execution.exchange import Tried
from ..execution.standing import Standing
from ..execution.verdict import verdict
from ..model import Choice, Decision, Target, Usage, View
from ..pricing.estimate import list_usd
from ..signals.health import HealthRecord
from ..signals.snapshot import Board
from ..upstream.wire.usage import from_openai
from .vocabulary import HealthChecked, Provider


class ProviderMetrics(Struct, frozen=True, kw_only=True):
    """What came of the requests to one provider since it was registered.

    ``requests`` are those that ended, ``failures`` those of them that were its fault. Latencies are of whole answers
    in the recent window, ``None`` where there is none. ``cost_usd`` covers the answers that stated their usage, at the
    registered price; ``unpriced`` counts the others. ``available`` is false while it cools down or is unhealthy.
    """

    name: str
    requests: int = 0
    failures: int = 0
    p95_latency_ms: float | None = None
    median_latency_ms: float | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    available: bool = True


class Registered:
    """``clock`` is monotonic seconds, ``unix_time`` the wall clock.

    Each one has a board of its own, so that registering another leaves what is known of it alone. A cooldown is as long
    as it was said to be: there are no other processes whose probes it should keep clear of.
    """

    def __init__(
        self,
        provider: Provider,
        target: Target,
        *,
        breaker: CircuitBreaker,
        clock: Callable[[], float],
        unix_time: Callable[[], float],
    ) -> None:
        self.provider, self.target = provider, target
        self._clock, self._unix_time = clock, unix_time
        self._board = Board([target], clock)
        self._standing = Standing(target, self._board, breaker, Latency(), clock, chance=lambda: 0.5)
        self._health = HealthRecord()
        self._requests = self._failures = self._tokens = self._unpriced = 0
        self._cost_usd = 0.0

    def view(self) -> View:
        return self._board.snapshot().views[0]

    async def complete(self, request: Any, choice: Choice) -> Any:
        """The provider's answer, noted. Raises what the provider raises; the failures of this package's own providers
        come as ``ClientError`` or ``NoTarget``, as a caller of the router's API would get them."""
        slot, started = self._standing.take_slot(), self._clock()
        try:
            answer = await self.provider.complete(request)
        except ClientError:
            self._requests += 1
            raise
        except AttemptFailed as failure:
            self._failed(failure, started)
            raise verdict([Tried(choice, failure.reason, None, failure)]) from failure
        except Exception as exc:
            # Whatever a program's own provider raises: it did not answer.
            self._failed(UpstreamBroken(f"{type(exc).__name__}: {exc}"), started)
            raise
        else:
            took_ms = (self._clock() - started) * 1000
            self._requests += 1
            self._standing.succeeded(took_ms, took_ms, started)
            self._account(answer)
            return answer
        finally:
            slot.release()

    async def check_health(self) -> None:
        """Asks the provider, where it can say, and notes what it says."""
        if not isinstance(self.provider, HealthChecked):
            return
        started = self._clock()
        try:
            well = await self.provider.health_check()
        except Exception as exc:
            # As above: its exceptions are its own.
            self._health.failed(f"{type(exc).__name__}: {exc}", self._unix_time(), definite=False)
        else:
            if well:
                self._health.passed((self._clock() - started) * 1000, self._unix_time())
            else:
                self._health.failed("says that it is not well", self._unix_time(), definite=True)
        self._board.post(self.target.name, health=self._health.report.status)

    def metrics(self) -> ProviderMetrics:
        view = self.view()
        return ProviderMetrics(
            name=self.target.name,
            requests=self._requests,
            failures=self._failures,
            p95_latency_ms=view.p95_latency_ms,
            median_latency_ms=view.first_token_ms,
            tokens=self._tokens,
            cost_usd=self._cost_usd,
            unpriced=self._unpriced,
            available=view.health != "unhealthy" and view.retry_at <= self._clock(),
        )

    def _failed(self, failure: AttemptFailed, since: float) -> None:
        self._requests += 1
        self._failures += 1
        self._standing.failed(failure, since)

    def _account(self, answer: object) -> None:
        usage: Usage | None = from_openai(answer.get("usage")) if isinstance(answer, Mapping) else None
        self._tokens += usage.all_tokens if usage is not None else 0
        if usage is None or self.target.list_price is None:
            self._unpriced += 1
        else:
            self._cost_usd += list_usd(self.target.list_price, usage)


class ChosenProvider:
    """The provider that was chosen for a request. ``decision`` says why, and who else may answer in what order."""

    def __init__(self, registered: Registered, decision: Decision) -> None:
        self._registered, self.decision = registered, decision

    @property
    def name(self) -> str:
        return self._registered.target.name

    @property
    def provider(self) -> Provider:
        """The one that was registered. What is asked of it directly is not noted."""
        return self._registered.provider

    async def complete(self, request: Any) -> Any:
        """Its answer. How it went counts for the next decisions."""
        return await self._registered.complete(request, self.decision.choices[0])
