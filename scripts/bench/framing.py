"""Requests in which two parsers might see different things, on raw sockets."""

from __future__ import annotations

from tests.router.corpus import ADMIN, REFUSED
from tests.router.edge import Address, in_thread
from tests.router.gate.surroundings import gate, says_ok, upstream
from tests.router.routers import providers, running_router
from tests.router.standins import Standins
from tests.router.test_corpus import answers


def p21_framing(standins: Standins) -> str:
    """A second request that is answered was smuggled in by the first; what somebody behind is asked got through."""
    standins.clear()
    with running_router({"externalProviders": providers(standins)}) as router:
        at_router = smuggled(("127.0.0.1", int(router.url.rpartition(":")[2])))
    through = len(standins.openai.requests()) + len(standins.anthropic.requests()) + len(standins.gemini.requests())
    with in_thread(upstream(says_ok)) as behind, in_thread(gate(behind.url)) as front:
        at_gate = smuggled(front.address)
    through += len(behind.received)
    return (
        f"of {len(REFUSED)} odd requests the router answered {at_router} with anything but a refusal or the end, the "
        f"gate {at_gate}; {through} reached anybody behind them"
    )


def smuggled(listener: Address) -> int:
    if len(answers(listener, ADMIN + ADMIN)) != 2:
        raise SystemExit("two ordinary requests are not told from one, so that nothing smuggled would be seen")
    seen = ((case, answers(listener, case.data)) for case in REFUSED)
    return sum(len(statuses) > 1 or not set(statuses) <= case.statuses for case, statuses in seen)
