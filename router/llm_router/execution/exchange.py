"""One request while it is executed: what was decided, what was tried, and who answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import AttemptFailed, NotSent
from ..model import Choice, Decision, Usage
from ..pricing.records import AttemptRecord
from ..routing.facts import ChatRequest
from .attempt import Attempt
from .limiting import UNLIMITED, Admission


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt in the trail. ``outcome`` is ``ok``, ``client_gone``, ``outpaced`` (another one answered first), or
    the failure's stable reason; ``usage`` is what somebody will be charged for, ``None`` if nothing came."""

    choice: Choice
    outcome: str
    usage: Usage | None
    failure: AttemptFailed | None = None


@dataclass(slots=True)
class Exchange:
    """``started_at`` is monotonic seconds, ``unix_time`` the wall clock at the start. ``key_name`` names the caller's
    API key, never the key."""

    request_id: str
    chat: ChatRequest
    decision: Decision
    started_at: float
    unix_time: float
    key_name: str | None = None
    admission: Admission = UNLIMITED
    aside: AttemptRecord | None = None
    """What telling the prompt's categories cost, where somebody was asked."""
    trail: list[Tried] = field(default_factory=list)
    running: list[Attempt] = field(default_factory=list)
    """What is under way: one attempt, or where the first was slow another one beside it."""
    hedge: str | None = None
    """The target that was asked beside a slow one."""
    committed: bool = False
    """Whether content of the running, or the last, attempt has gone to the caller: nobody else may answer then."""
    first_content_at: float | None = None
    settled: bool = False

    @property
    def attempt(self) -> Attempt | None:
        """The running one."""
        return self.running[0] if self.running else None

    @property
    def attempts(self) -> int:
        """How many were sent, the running ones included."""
        return sum(not isinstance(tried.failure, NotSent) for tried in self.trail) + len(self.running)

    @property
    def answering(self) -> Tried | None:
        """The attempt whose answer the caller got, whole or in part."""
        last = self.trail[-1] if self.trail else None
        return last if last is not None and (last.outcome == "ok" or self.committed) else None

    def reason_of(self, choice: Choice) -> str:
        """Why this choice answers: the decision's own reason for the first, a fallback for what follows a failure."""
        if choice.target.name == self.hedge:
            return "hedge"
        if choice.target.name == self.decision.choices[0].target.name:
            return choice.reason
        return "fallback_external" if choice.target.kind == "provider" else "fallback_cluster"
