"""The gate's verdicts, on raw sockets in front of a real server: what gets through, what does not, in which order."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest

from llm_router.api.replay import KEPT_S, MemoryReplayStore
from llm_router.api.signed import UNREADY_S
from llm_router.upstream.signing import SKEW_S, Verifier
from tests.router.edge import Reply, request, run, until
from tests.router.gate.surroundings import (
    AUTHORITY,
    CHAT,
    KEY,
    MAX_BODY,
    NEXT_KEY,
    TARGET,
    Clock,
    Router,
    Upstream,
    gate,
    says_ok,
    upstream,
)

Ask = Callable[[Router], Awaitable[Reply]]
BODY = b'{"model":"tiny","stream":true}'


def asked(*asks: Ask) -> tuple[list[Reply], Router, Upstream]:
    """The answers to ``asks``, one after the other, of one gate in front of one upstream that always says ok."""

    async def scenario() -> tuple[list[Reply], Router, Upstream]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            return [await ask(router) for ask in asks], router, behind

    return run(scenario())


# ---------------------------------------------------------------- what gets through


def test_a_signed_request_reaches_llama_server() -> None:
    [reply], router, behind = asked(lambda router: router.ask("POST", CHAT, BODY))
    assert (reply.status, reply.body) == (200, b"ok")
    assert [(seen.line, seen.body) for seen in behind.received] == [(f"POST {CHAT} HTTP/1.1", BODY)]
    assert router.ended("forwarded") == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/messages"),
        ("GET", "/v1/models"),
        ("GET", "/health"),
        ("GET", "/metrics"),
    ],
)
def test_the_paths_of_the_contract_are_forwarded(method: str, path: str) -> None:
    [reply], _, behind = asked(lambda router: router.ask(method, path))
    assert reply.status == 200
    assert behind.received[0].line == f"{method} {path} HTTP/1.1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/slots"),
        ("GET", "/props"),
        ("POST", "/completion"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/models"),
        ("HEAD", "/v1/models"),
        ("DELETE", "/v1/models"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/V1/chat/completions"),
        ("POST", "/v1/chat%3Fcompletions"),
        ("POST", "/cluster/status"),
        ("POST", "/livez"),
    ],
)
def test_everything_else_is_404_even_when_signed(method: str, path: str) -> None:
    [reply], router, behind = asked(lambda router: router.ask(method, path))
    assert reply.status == 404
    assert behind.received == []
    assert router.rejected("path") == 1


def test_a_signed_query_is_forwarded_unchanged() -> None:
    query = "b=2&a=%20x&a=/?"
    [reply], _, behind = asked(lambda router: router.ask("GET", "/v1/models", query=query))
    assert reply.status == 200
    assert behind.received[0].line == f"GET /v1/models?{query} HTTP/1.1"


def test_both_active_keys_are_accepted() -> None:
    [old, new], _, _ = asked(
        lambda router: router.ask("POST", CHAT, BODY),
        lambda router: router.ask("POST", CHAT, BODY, key=NEXT_KEY, number=2),
    )
    assert (old.status, new.status) == (200, 200)


def test_an_ingress_may_rewrite_the_host() -> None:
    [reply], _, _ = asked(lambda router: router.ask("POST", CHAT, BODY, (("host", "10.0.0.7:31337"),)))
    assert reply.status == 200


# ---------------------------------------------------------------- what does not


REFUSED: dict[str, tuple[Ask, str]] = {
    "unsigned": (lambda router: router.send(request("POST", CHAT, (), BODY)), "unsigned"),
    "unsigned health": (lambda router: router.send(request("GET", "/health")), "unsigned"),
    "unsigned unknown path": (lambda router: router.send(request("GET", "/nothing")), "unsigned"),
    "unsigned POST to a probe": (lambda router: router.send(request("POST", "/livez")), "unsigned"),
    "api key instead": (
        lambda router: router.send(request("POST", CHAT, (("authorization", "Bearer x"),), BODY)),
        "unsigned",
    ),
    "too late": (lambda router: router.ask("POST", CHAT, BODY, delay_s=66), "expired"),
    "too early": (lambda router: router.ask("POST", CHAT, BODY, delay_s=-6), "created_in_future"),
    "another target": (lambda router: router.ask("POST", CHAT, BODY, target="gcp-eu"), "target"),
    "another authority": (lambda router: router.ask("POST", CHAT, BODY, authority="gcp.example"), "signature"),
    "another key": (lambda router: router.ask("POST", CHAT, BODY, key=bytes(32) + b"x"), "signature"),
    "an unknown key": (lambda router: router.ask("POST", CHAT, BODY, number=3), "unknown_key"),
    "an altered body": (lambda router: _altered(router, BODY, BODY.replace(b"tiny", b"huge")), "digest"),
    "an altered path": (lambda router: _altered(router, CHAT.encode(), b"/v1/completions"), "signature"),
    "a query added": (lambda router: _altered(router, CHAT.encode(), CHAT.encode() + b"?x=1"), "signature"),
    "an altered method": (lambda router: _altered(router, b"POST", b"PUT"), "signature"),
    "a header twice": (
        lambda router: router.ask("POST", CHAT, BODY, (("X-LLMR-Target", TARGET),)),
        "duplicate_header",
    ),
    "a second signature": (
        lambda router: router.ask("POST", CHAT, BODY, (("Signature", "other=:AAAA:"),)),
        "duplicate_header",
    ),
    "underscores for hyphens": (
        lambda router: _altered(router, b"x-llmr-target:", b"x_llmr_target:"),
        "missing_header",
    ),
}


async def _altered(router: Router, old: bytes, new: bytes) -> Reply:
    return await router.send(router.raw("POST", CHAT, BODY).replace(old, new, 1))


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_honestly_signed_is_401_and_never_reaches_llama_server(case: str) -> None:
    ask, reason = REFUSED[case]
    [reply], router, behind = asked(ask)
    assert reply.status == 401
    assert behind.received == []
    assert router.rejected(reason) == 1
    assert router.ended("rejected") == 1


def test_a_clock_that_jumps_refuses_with_a_reason_of_its_own_and_serves_again_once_it_is_right() -> None:
    async def scenario() -> tuple[list[int], list[float]]:
        async with upstream(says_ok) as behind, gate(behind.url, started_at=0) as router:
            statuses, right = [], router.clock.now
            for jump_s in (0, 3600, 0, -3600, 0):
                router.clock.now = right
                data = router.raw("POST", CHAT, BODY)
                router.clock.now += jump_s
                statuses.append((await router.send(data)).status)
            return statuses, [router.rejected("expired"), router.rejected("created_in_future")]

    assert run(scenario()) == ([200, 401, 200, 401, 200], [1, 1])


def test_all_401_are_alike_and_name_no_reason() -> None:
    replies, _, _ = asked(*(ask for ask, _ in REFUSED.values()))
    first = replies[0]
    assert b"signature is refused" in first.body
    for reply in replies:
        assert (reply.status, reply.headers, reply.body) == (401, first.headers, first.body)
    assert not {"server", "date"} & {name.lower() for name in first.names}


# ---------------------------------------------------------------- replay


def test_a_signature_counts_once() -> None:
    async def scenario() -> tuple[list[int], Router]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            data = router.raw("POST", CHAT, BODY)
            return [(await router.send(data)).status for _ in range(3)], router

    statuses, router = run(scenario())
    assert statuses == [200, 401, 401]
    assert router.rejected("replayed") == 2


def test_of_fifty_concurrent_copies_exactly_one_is_answered() -> None:
    async def scenario() -> tuple[list[int], int]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            data = router.raw("POST", CHAT, BODY)
            replies = await asyncio.gather(*(router.send(data) for _ in range(50)))
            return sorted(reply.status for reply in replies), len(behind.received)

    assert run(scenario()) == ([200] + [401] * 49, 1)


def test_a_forged_body_does_not_burn_the_nonce() -> None:
    async def scenario() -> list[int]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            data = router.raw("POST", CHAT, BODY)
            forged = data.replace(b"tiny", b"huge")
            return [(await router.send(copy)).status for copy in (forged, forged, data, data)]

    assert run(scenario()) == [401, 401, 200, 401]


def test_a_signature_cannot_be_used_again_after_its_nonce_is_forgotten() -> None:
    async def scenario() -> list[int]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            data = router.raw("POST", CHAT, BODY, delay_s=-5)
            statuses = []
            for _ in range(KEPT_S + 20):
                statuses.append((await router.send(data)).status)
                router.clock.now += 1
            return statuses

    statuses = run(scenario())
    assert statuses[0] == 200
    assert set(statuses[1:]) == {401}


@pytest.mark.parametrize("back_s", [KEPT_S - 5, KEPT_S + 5, 3600])
def test_a_clock_that_is_set_back_makes_no_used_signature_new(back_s: int) -> None:
    async def scenario() -> tuple[list[int], list[float]]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            captured = router.raw("POST", CHAT, BODY)
            statuses = [(await router.send(captured)).status]
            router.clock.now += back_s
            statuses.append((await router.ask("POST", CHAT, BODY)).status)
            router.clock.now -= back_s
            statuses += [(await router.send(captured)).status for _ in range(2)]
            router.clock.now += 2 * back_s
            statuses.append((await router.ask("POST", CHAT, BODY)).status)
            return statuses, [router.rejected(reason) for reason in ("replayed", "replay_store_forgot")]

    statuses, (replayed, forgot) = run(scenario())
    refused = 503 if back_s > KEPT_S else 401
    assert statuses == [200, 200, refused, refused, 200]
    assert (replayed, forgot) == ((0, 2) if back_s > KEPT_S else (2, 0))


@pytest.mark.parametrize(("ahead_s", "status"), [(0, 401), (1, 503), (SKEW_S, 503)])
def test_a_signature_used_before_a_restart_is_not_accepted_after_it(ahead_s: int, status: int) -> None:
    """Nor where the router's clock is ahead, by which it was signed when the gate had started again."""

    async def scenario() -> int:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            data = router.raw("POST", CHAT, BODY, delay_s=-ahead_s)
            assert (await router.send(data)).status == 200
        async with upstream(says_ok) as behind:
            started_at = int(router.clock.now) + 1
            clock = Clock(started_at + UNREADY_S)
            verifier = Verifier(keys={f"{TARGET}.1": KEY}, target=TARGET, authority=AUTHORITY, not_before=started_at)
            async with gate(behind.url, verifier=verifier, started_at=started_at, unix_time=clock) as restarted:
                return (await restarted.send(data)).status

    assert run(scenario()) == status


def test_a_full_store_refuses_instead_of_forgetting() -> None:
    async def scenario() -> tuple[list[int], Router]:
        store = MemoryReplayStore(max_entries=2)
        async with upstream(says_ok) as behind, gate(behind.url, replay=store) as router:
            statuses = [(await router.ask("POST", CHAT, BODY)).status for _ in range(3)]
            router.clock.now += KEPT_S + 1
            return [*statuses, (await router.ask("POST", CHAT, BODY)).status], router

    statuses, router = run(scenario())
    assert statuses == [200, 200, 503, 200]
    assert router.rejected("replay_store_full") == 1


# ---------------------------------------------------------------- order, sizes, slowness


def test_framing_comes_before_everything() -> None:
    [reply], router, _ = asked(lambda router: router.ask("POST", "/v1/../slots", b"x" * (MAX_BODY + 1)))
    assert reply.status == 400
    assert b'"type":"invalid_request_error"' in reply.body
    assert router.rejected("bad_path") == 1


def test_the_announced_size_comes_before_the_signature() -> None:
    async def ask(router: Router) -> Reply:
        headers = (("content-length", str(MAX_BODY + 1)),)
        return await router.send(request("POST", CHAT, headers))

    [reply], _, _ = asked(ask)
    assert reply.status == 413


def test_the_signature_comes_before_a_byte_of_the_body_is_read() -> None:
    async def ask(router: Router) -> Reply:
        headers = tuple((n, v) for n, v in router.sign("POST", CHAT, BODY, number=3))
        return await router.send(request("POST", CHAT, (*headers, ("content-length", "30"))))

    [reply], router, _ = asked(ask)
    assert reply.status == 401
    assert router.rejected("unknown_key") == 1


def test_reading_comes_before_digest_and_path() -> None:
    async def too_large(router: Router) -> Reply:
        headers = (*router.sign("POST", "/nothing", b"x"), ("transfer-encoding", "chunked"))
        chunk = b"%x\r\n" % (MAX_BODY + 1) + b"x" * (MAX_BODY + 1) + b"\r\n0\r\n\r\n"
        return await router.send(request("POST", "/nothing", headers) + chunk)

    async def too_slow(router: Router) -> Reply:
        headers = (*router.sign("POST", "/nothing", b"x" * 10), ("content-length", "10"))
        return await router.send(request("POST", "/nothing", headers) + b"x")

    [large, slow], router, _ = asked(too_large, too_slow)
    assert (large.status, slow.status) == (413, 408)
    assert (router.rejected("too_large"), router.rejected("too_slow")) == (1, 1)


def test_digest_and_nonce_come_before_the_path() -> None:
    async def ask(router: Router) -> Reply:
        return await router.send(router.raw("POST", "/nothing", BODY).replace(b"tiny", b"huge"))

    [reply], router, _ = asked(ask)
    assert reply.status == 401
    assert router.rejected("digest") == 1


def test_a_body_of_exactly_the_allowed_size_is_taken_also_in_chunks() -> None:
    body = b"x" * MAX_BODY

    async def chunked(router: Router) -> Reply:
        headers = (*router.sign("POST", CHAT, body), ("transfer-encoding", "chunked"))
        chunks = b"".join(b"1000\r\n" + body[at : at + 4096] + b"\r\n" for at in range(0, MAX_BODY, 4096))
        return await router.send(request("POST", CHAT, headers) + chunks + b"0\r\n\r\n")

    replies, _, behind = asked(lambda router: router.ask("POST", CHAT, body), chunked)
    assert [reply.status for reply in replies] == [200, 200]
    for seen in behind.received:
        assert seen.body == body
        assert seen.headers["content-length"] == str(MAX_BODY)
        assert "transfer-encoding" not in seen.headers


def test_a_caller_who_leaves_while_sending_reaches_nobody() -> None:
    async def scenario() -> tuple[float, int]:
        async with upstream(says_ok) as behind, gate(behind.url) as router:
            _reader, writer = await asyncio.open_connection(*router.address)
            writer.write(router.raw("POST", CHAT, BODY)[:-5])
            await asyncio.sleep(0.05)
            writer.close()

            async def noticed() -> bool:
                return router.ended("client_gone") > 0

            await until(noticed)
            return router.ended("client_gone"), len(behind.received)

    assert run(asyncio.wait_for(scenario(), 5)) == (1, 0)


# ---------------------------------------------------------------- probes and the start


def test_only_the_probes_are_unsigned() -> None:
    [live, ready], router, behind = asked(
        lambda router: router.send(request("GET", "/livez")), lambda router: router.send(request("GET", "/readyz"))
    )
    assert (live.status, ready.status) == (200, 200)
    assert behind.received == []
    assert router.ended("answered") == 2


def test_nobody_is_let_in_until_six_seconds_after_the_start() -> None:
    async def scenario() -> list[tuple[int, int, int]]:
        started_at = 1_794_000_000
        clock = Clock(started_at - 0.5)
        seen = []
        async with upstream(says_ok) as behind, gate(behind.url, started_at=started_at, unix_time=clock) as router:
            for clock.now in (started_at - 0.5, started_at + UNREADY_S - 0.1, started_at + UNREADY_S):
                router.clock.now = clock.now
                probes = [await router.send(request("GET", path)) for path in ("/livez", "/readyz")]
                asked = await router.ask("POST", CHAT, BODY)
                seen.append((probes[0].status, probes[1].status, asked.status))
        return seen

    assert run(scenario()) == [(200, 503, 503), (200, 503, 503), (200, 200, 200)]


def test_the_status_is_told_to_those_who_sign() -> None:
    async def scenario() -> list[tuple[int, bytes]]:
        answers: list[bytes | None] = [b'{"target":"x"}', None]

        async def status() -> bytes | None:
            return answers.pop(0)

        async with upstream(says_ok) as behind, gate(behind.url, status=status) as router:
            replies = [await router.ask("GET", "/cluster/status") for _ in range(2)]
            assert behind.received == []
            return [(reply.status, reply.body) for reply in replies]

    told, unknown = run(scenario())
    assert told == (200, b'{"target":"x"}')
    assert unknown[0] == 503


def test_keys_are_the_decoded_secrets() -> None:
    """The contract's words: the HMAC key is the decoded base64, not its text."""
    as_text = base64.b64encode(KEY)
    [reply], _, _ = asked(lambda router: router.ask("POST", CHAT, BODY, key=as_text))
    assert reply.status == 401
