"""A wall clock that is an hour off: that of a router process, under libfaketime, and that of a gate."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from tests.router.edge import run
from tests.router.gate.surroundings import CHAT, gate, says_ok, upstream
from tests.router.standins import Standins
from tests.router.test_wall_clock import FIRST_TOKEN_S, HOUR_S, JUMPS_S, faked, jumped, waited_s


def p24_clock(standins: Standins, rounds: int) -> str:
    """The first target's breaker opens in the first half, its limit is reached in the second."""
    asked, late_ms = Counter[str](), []
    with tempfile.TemporaryDirectory() as folder, faked(standins, Path(folder)) as router:
        standins.openai.fault("silence")
        late_ms = [(waited_s(router, seconds) - FIRST_TOKEN_S) * 1000 for seconds in (HOUR_S, -HOUR_S)]
        standins.openai.clear()
        for _ in range(rounds):
            asked.update(jumped(router))
    limited = {"rateLimit": {"requestsPerMinute": 1}}
    with tempfile.TemporaryDirectory() as folder, faked(standins, Path(folder), **limited) as router:
        router.served_by()
        for _ in range(rounds):
            asked.update(jumped(router))
    refused = run(refused_by(10 * rounds))
    return (
        f"{asked['openai']} of {2 * rounds * len(JUMPS_S)} requests went to a target with an open breaker or a limit "
        f"that was reached; a timer ended {max(late_ms):.0f} ms late at most; of {20 * rounds} signatures "
        f"{refused['expired']:.0f} were refused as `expired` and {refused['created_in_future']:.0f} as "
        f"`created_in_future`"
    )


async def refused_by(signatures: int) -> dict[str, float]:
    """Why a gate refuses honest signatures, as many an hour late as an hour early, by its metrics."""
    async with upstream(says_ok) as behind, gate(behind.url, started_at=0) as router:
        right = router.clock.now
        for jump_s in (HOUR_S, -HOUR_S):
            for _ in range(signatures):
                router.clock.now = right
                data = router.raw("POST", CHAT)
                router.clock.now += jump_s
                await router.send(data)
        return {reason: router.rejected(reason) for reason in ("expired", "created_in_future")}
