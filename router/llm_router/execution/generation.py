"""One generation of the router: everything that one configuration determines, built once and swapped as a whole.

A request takes the current generation when it arrives and keeps it to its end, so that no decision mixes two
configurations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..admission.keys import KeyRing
from ..admission.load import Load
from ..config.load import Loaded
from ..model import Decision, Target
from ..pricing.ledger import Ledger
from ..routing.categories import Categories
from ..routing.engine import Policy
from ..routing.turns import Turns
from ..routing.vocabulary import Vocabulary
from ..signals.rents import Rents
from ..signals.snapshot import Board
from ..signals.watch import Watch
from ..state.ledger.journal import Journal
from ..telemetry.metrics import Metrics
from .attempts import Attempts
from .learning import Learning
from .limiting import Limiting
from .meaning import Meaning
from .pool_load import PoolLoad
from .settle import Settlement
from .standing import Standing

KEPT_DECISIONS = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as the admin surface remembers it: explained, without a word of the request. ``woken`` are the pools
    that are wanted from then on."""

    request_id: str
    at_unix: float
    decision: Decision
    woken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """``keys`` is ``None`` where no API keys are configured: then the listener is loopback. ``clock`` is monotonic
    seconds, ``unix_time`` the wall clock."""

    loaded: Loaded
    targets: tuple[Target, ...]
    policy: Policy
    keys: KeyRing | None
    board: Board
    standings: Mapping[str, Standing]
    loads: Mapping[str, PoolLoad]
    rents: Rents
    attempts: Attempts
    limiting: Limiting
    learning: Learning
    settlement: Settlement
    watches: tuple[Watch, ...]
    ledger: Ledger
    journal: Journal | None
    metrics: Metrics
    load: Load
    clock: Callable[[], float]
    unix_time: Callable[[], float]
    vocabulary: Vocabulary
    turns: Turns
    decisions: deque[Decided]
    categories: Categories
    meaning: Meaning
