"""A network of one's own whose name server knows one name and is silent about all others:

    unshare --user --map-root-user --net --mount python -m tests.router.upstream.slow_names

The resolver is the system's, asked from uvloop's threads, as in production. Many ask for a name that takes longer than
they may connect; who asks for another one meanwhile is answered, and so is the event loop.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import subprocess
import tempfile
import threading

import uvloop
from yarl import URL

from llm_router.errors import AttemptFailed, UpstreamSilent
from llm_router.upstream.http1 import Http1Client
from tests.router.upstream.raw import OK, answering, fetch, serving

KNOWN, SILENT = "quick.example.com", "slow.example.com"
CONNECT_S, RESOLVER_S = 1.0, 4
MANY = 32
"""Far more than uvloop has threads for names."""


def main() -> None:
    _bring_up_loopback()
    _replace("/etc/nsswitch.conf", "hosts: dns\n")
    _replace("/etc/resolv.conf", f"nameserver 127.0.0.1\noptions timeout:{RESOLVER_S} attempts:1\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    silent = threading.Event()
    threading.Thread(target=_answer, args=(server, silent), daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_ask(silent))


async def _ask(silent: threading.Event) -> None:
    async with (
        serving(answering(OK)) as (_upstream, url),
        Http1Client(connect_timeout_s=CONNECT_S) as client,
        asyncio.timeout(20),
    ):
        ticking = asyncio.create_task(_longest_gap_s())
        nobody = URL(f"http://{SILENT}:9/")
        many = [asyncio.create_task(fetch(client, nobody, private=True)) for _ in range(MANY)]
        await asyncio.to_thread(silent.wait, 10)
        assert await fetch(client, url.with_host(KNOWN), private=True) == b"ok"
        assert not any(one.done() for one in many), "whoever knows his name waits for nobody who does not"
        failures = await asyncio.gather(*many, return_exceptions=True)
        assert [_phase(failure) for failure in failures] == ["connect"] * MANY
        ticking.cancel()
        assert await ticking < RESOLVER_S, "the event loop went on"
    print("bounded")


def _phase(failure: object) -> str:
    assert isinstance(failure, AttemptFailed), failure
    return failure.phase if isinstance(failure, UpstreamSilent) else str(failure)


async def _longest_gap_s() -> float:
    loop = asyncio.get_running_loop()
    longest, last = 0.0, loop.time()
    try:
        while True:
            await asyncio.sleep(0.01)
            longest, last = max(longest, loop.time() - last), loop.time()
    except asyncio.CancelledError:
        return longest


def _answer(server: socket.socket, silent: threading.Event) -> None:
    """``KNOWN`` is 127.0.0.1 and has no other address (RFC 1035, section 4). ``silent``: was asked for another one."""
    while True:
        question, caller = server.recvfrom(512)
        if _wire(KNOWN) not in question:
            silent.set()
            continue
        end = question.index(b"\0", 12) + 5  # name, type, class
        is_ipv4 = question[end - 4 : end - 2] == b"\0\x01"
        head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, int(is_ipv4), 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
        server.sendto(head + question[12:end] + (record if is_ipv4 else b""), caller)


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x8 | 0x40))  # SIOCSIFFLAGS


def _replace(path: str, content: str) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(content)
        file.flush()
        subprocess.run(["mount", "--bind", file.name, path], check=True)


if __name__ == "__main__":
    main()
