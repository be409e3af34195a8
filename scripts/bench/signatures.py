"""What the gate's signatures and its replay store refuse, and in what time."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

from llm_router.api.replay import MemoryReplayStore
from llm_router.upstream.signing import Refused
from tests.router.upstream.test_signing import Message, signed, verifier

NOW = 1_794_000_000.0


def p14_signatures(changes: int) -> str:
    chance, accepted, refused = random.Random(2), 0, 0
    for _ in range(changes):
        accepted += not is_refused(changed(signed(Message(body=chance.randbytes(32))), chance))
        refused += is_refused(signed(Message(body=chance.randbytes(32))))
    began = time.perf_counter()
    message, by = signed(Message(body=b"x" * 1024)), verifier()
    for _ in range(2000):
        by.verify_headers(message.method, message.path, message.query, message.headers, NOW)
    each_us = (time.perf_counter() - began) / 2000 * 1e6
    return (
        f"{accepted} of {changes} changed requests accepted, {refused} of {changes} honest ones refused; "
        f"{each_us:.0f} µs to verify the headers"
    )


def changed(message: Message, chance: random.Random) -> Message:
    """With one byte changed: of a signed header, of the path, the query or the body."""

    def flip(data: bytes) -> bytes:
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]

    where = chance.randrange(4)
    if where == 0:
        return replace(message, body=flip(message.body))
    if where == 1:
        return replace(message, path=flip(message.path))
    if where == 2:
        return replace(message, query=flip(message.query or b"?"))
    names = [i for i, (name, _) in enumerate(message.headers) if name != b"host"]
    at = chance.choice(names)
    headers = list(message.headers)
    headers[at] = (headers[at][0], flip(headers[at][1]))
    return replace(message, headers=tuple(headers))


def is_refused(message: Message) -> bool:
    by = verifier()
    try:
        verified = by.verify_headers(message.method, message.path, message.query, message.headers, NOW)
        by.verify_body(verified, message.body, NOW)
    except Refused:
        return True
    return False


def p15_replay(rounds: int) -> str:
    async def copies(store: MemoryReplayStore, key: str) -> int:
        return sum(await asyncio.gather(*(store.use(key, int(NOW)) for _ in range(50))))

    async def main() -> list[int]:
        store = MemoryReplayStore(max_entries=10_000)
        return [await copies(store, f"k|{number}") for number in range(rounds)]

    accepted = asyncio.run(main())
    return f"{min(accepted)} to {max(accepted)} of 50 accepted, {rounds} rounds"
