"""Everything that the router raises on purpose, as one tree::

    RouterError
    ├── ConfigError                 the configuration is refused: a list of problems, each with path, line and remedy
    ├── ClientError                 the caller's request is refused: HTTP status, stable code, the field at fault
    ├── NoTarget                    nobody may, can or did answer: HTTP status, stable code, every rejection
    └── AttemptFailed               one send to one target failed; what may follow depends on the kind
        ├── NotSent                 nothing was sent
        │   ├── TargetUnsuited      it cannot express something that the caller asks for
        │   ├── TargetFull          its slots are busy and its queue is at its limit
        │   ├── RouterFull          the router itself can open no connection more
        │   └── TargetLimited       it, or the caller's budget for it, is at a limit of the configuration
        ├── ConnectFailed           no connection: refused, unreachable, name not found, TLS
        ├── UpstreamReset           the connection broke before a byte of the answer came
        ├── UpstreamSilent          a timer of ours ran out: first token, between tokens, total
        ├── UpstreamRefused         the target answered with an error, by status or inside its stream
        └── UpstreamBroken          the answer is not what the protocol promises: cut, malformed, too large

``ClientError`` and ``NoTarget`` become HTTP answers at one seam, ``api/errors.py``. ``AttemptFailed`` never leaves
``execution``: it ends as failover, or as one of the two above, or as an in-band error after the commit point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .model import Demand, Rejection


class RouterError(Exception):
    """The root: catch this to catch all that the router raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: where, what, and what to do. ``line`` counts from 1, 0 is unknown."""

    path: str
    message: str
    line: int = 0
    file: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line else (f"{self.file}: " if self.file else "")
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class ConfigError(RouterError):
    """The configuration is refused. ``problems`` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class ClientError(RouterError):
    """The caller's fault: ``status`` is 4xx, ``code`` is stable, ``param`` names the field at fault. ``headers`` go out
    with it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after_s, self.headers = retry_after_s, tuple(headers)


class NoTarget(RouterError):
    """Nobody is left to answer. ``status`` is 404 for an unknown model, 400 where no configured target ever could, 503
    where none is allowed or healthy, 429, 502, 503 or 504 after attempts that all failed; ``retry_after_s`` is set when
    waiting helps, ``demand`` where a pool that does not run would have answered."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        rejected: Sequence[Rejection] = (),
        retry_after_s: float | None = None,
        demand: Demand | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.rejected, self.retry_after_s, self.demand = tuple(rejected), retry_after_s, demand


class AttemptFailed(RouterError):
    """One send to one target failed. ``reason`` is a short stable word for metrics, logs and the ``attempts`` trail."""

    reason = "failed"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.reason)


class NotSent(AttemptFailed):
    """Nobody was asked: it counts neither as an attempt nor against the target."""

    reason = "not_sent"


class TargetUnsuited(NotSent):
    """``error`` is what the caller is told if nobody else can express it either."""

    reason = "unsuited"

    def __init__(self, error: ClientError) -> None:
        super().__init__(error.message)
        self.error = error


class TargetFull(NotSent):
    reason = "full"


class RouterFull(NotSent):
    """Out of file descriptors: no target is to blame."""

    reason = "router_full"


class TargetLimited(NotSent):
    """``error`` is what the caller is told if nobody else may answer."""

    reason = "limited"

    def __init__(self, error: NoTarget) -> None:
        super().__init__(error.message)
        self.error = error


class ConnectFailed(AttemptFailed):
    reason = "connect"


class UpstreamReset(AttemptFailed):
    reason = "reset"


class UpstreamSilent(AttemptFailed):
    """``phase`` is the timer that ran out."""

    reason = "timeout"

    def __init__(self, phase: Literal["connect", "first_token", "between_tokens", "total"]) -> None:
        super().__init__(f"{phase} timeout")
        self.phase = phase


class UpstreamRefused(AttemptFailed):
    """The target answered with an error. ``status`` and ``code`` are already in the router's terms
    (``context_length_exceeded``, ``content_policy_violation``, ``insufficient_quota``, ``rate_limit_exceeded``, …);
    ``retry_after_s`` is what it asked for, in whatever form; ``quota`` marks money or quota that waiting won't mend.
    """

    reason = "status"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        quota: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after_s, self.quota = retry_after_s, quota


class UpstreamBroken(AttemptFailed):
    reason = "broken"
