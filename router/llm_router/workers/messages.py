"""What supervisor and workers say to each other. Each question is a struct of its own; the answer's type stands beside
it. They are of one version: both ends are the same installation."""

from __future__ import annotations

from msgspec import Struct

from ..errors import Problem
from ..pricing.savings import Group, Query, Tally


class Message(Struct, frozen=True, tag=True):
    pass


# ---------------------------------------------------------------- to a worker


class Begin(Message, frozen=True):
    """Build the router from this text of the file ``path``. Answered with ``Fingerprint`` once it could serve."""

    path: str
    text: bytes


class Serve(Message, frozen=True):
    """Take requests from now on. Answered with ``None``."""


class Prepare(Message, frozen=True):
    """Get everything ready for a reload, and change nothing. Answered with ``Prepared``."""

    text: bytes


class TakeOver(Message, frozen=True):
    """Swap to what was prepared. Answered with ``None``."""


class Drop(Message, frozen=True):
    """Forget what was prepared: somebody refused. Answered with ``None``."""


class Drain(Message, frozen=True):
    """Finish what is under way and end. Answered with ``None``, at once."""

    announced: bool


class Hurry(Message, frozen=True):
    """End now. Answered with ``None``."""


class Measure(Message, frozen=True):
    """Answered with ``list[Family]``."""


class Read(Message, frozen=True):
    """A GET of the worker's own admin listener. Answered with ``Page``."""

    path: str
    query: bytes = b""


class Write(Message, frozen=True):
    """Take all settled records to the ledger at rest. Answered with ``Written``."""


class Count(Message, frozen=True):
    """Answered with ``Counted``."""

    query: Query


ToWorker = Begin | Serve | Prepare | TakeOver | Drop | Drain | Hurry | Measure | Read | Write | Count


# ---------------------------------------------------------------- to the supervisor


class Scrape(Message, frozen=True):
    """The metrics of all, as text. Answered with ``bytes``."""


ToSupervisor = Scrape


# ---------------------------------------------------------------- answers


class Prepared(Struct, frozen=True):
    """``problems`` where it was refused, else the ``fingerprint`` of what was read: configuration, secrets, keys."""

    problems: tuple[Problem, ...] = ()
    fingerprint: str = ""


class Page(Struct, frozen=True):
    """``body`` is JSON."""

    status: int
    body: bytes


class Written(Struct, frozen=True):
    """``fault`` is why they could not all be written."""

    fault: str = ""


class Counted(Struct, frozen=True):
    """``fault`` is why the ledger cannot be read."""

    tallies: tuple[tuple[Group, Tally], ...] = ()
    complete: bool = True
    baseline: str = ""
    ledger: str = ""
    fault: str = ""
