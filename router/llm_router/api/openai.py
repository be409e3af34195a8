"""The front door for OpenAI's chat API: ``POST /v1/chat/completions`` as a raw ASGI callable.

    request → authorise → read → admit → decide → answer (whole | streamed) → settle

It is mounted ahead of the app's routing because this path carries the load; everything else is Starlette's.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from ..admission.keys import ApiKey, authorise
from ..admission.load import Criticality, Place, overloaded
from ..errors import AttemptFailed, ClientError, NoTarget, RouterError
from ..execution.exchange import Exchange
from ..execution.generation import Decided, Generation
from ..execution.limiting import UNLIMITED, Admission
from ..execution.settle import CLIENT_GONE
from ..model import Choice, Decision
from ..pricing.records import AttemptRecord, Record
from ..routing.engine import decide
from ..routing.facts import ChatRequest, asked_text, facts_of, most_tokens, read_chat
from ..routing.turns import Turn
from ..upstream import sse
from ..upstream.wire.base import Piece
from ..upstream.wire.chunks import chunk, usage_chunk
from .errors import RawHeaders, answer_of, error_body
from .reading import BodyTooLarge, ClientGone, WhileCallerStays, announced_bytes, read_body
from .requirements import read_requirements

PATH = "/v1/chat/completions"
JSON = (b"content-type", b"application/json")
EVENTS: RawHeaders = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class Asking(Struct, frozen=True):
    """An admitted chat request: what is asked, by whom, what was decided, what telling its categories cost, and what it
    holds of its key's limits."""

    chat: ChatRequest
    key: ApiKey | None
    decision: Decision
    aside: AttemptRecord | None
    admission: Admission = UNLIMITED


class ChatDoor:
    """``generation`` gives the current one; a request keeps the one that it started with."""

    def __init__(self, generation: Callable[[], Generation]) -> None:
        self._generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        generation = self._generation()
        with generation.load.request() as place:
            await self._answer(generation, place, scope, receive, send)

    async def _answer(self, generation: Generation, place: Place, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = generation.clock()
        request_id = str(uuid.uuid4())
        try:
            if scope["method"] != "POST":
                raise ClientError(405, "method_not_allowed", f"{PATH} takes POST.")
            asking = await ask(generation, scope, receive, generation.turns.take, request_id, place=place)
        except ClientGone:
            return
        except RouterError as error:
            if isinstance(error, NoTarget):
                generation.rents.observe(error.demand)
            status = await _refuse(send, request_id, error)
            generation.metrics.answered(None, status, generation.clock() - started_at, None)
            return
        exchange = _remember(generation, request_id, asking, started_at)
        try:
            async with asyncio.timeout(generation.loaded.config.server.write_timeout), WhileCallerStays(receive):
                await _Conversation(generation, exchange, send).hold()
        except ClientGone:
            _account(generation, exchange, CLIENT_GONE)
        except TimeoutError:
            _account(generation, exchange, 504)
            if not exchange.committed:
                message = "The answer did not come within server.writeTimeout."
                await _refuse(send, request_id, NoTarget(504, "timeout", message), exchange)
        except asyncio.CancelledError:
            _account(generation, exchange, 503)
            await _cut_off(send, exchange)
            raise
        except BaseException:
            _account(generation, exchange, 500)
            raise


async def _cut_off(send: Send, exchange: Exchange) -> None:
    """The router stops, and the time that answers had to finish is over: an end that nobody takes for a whole one."""
    message = "The router stops; ask again."
    if exchange.committed:
        event = sse.event(error_body(503, "router_stopping", message + " What came before is incomplete."))
        await send({"type": "http.response.body", "body": event})
    else:
        await _refuse(send, exchange.request_id, NoTarget(503, "router_stopping", message), exchange)


def _account(generation: Generation, exchange: Exchange, status: int) -> None:
    """What came of an exchange that ended in the middle."""
    generation.attempts.abandoned(exchange)
    if not exchange.settled:
        generation.settlement.settle(exchange, status)


async def ask(
    generation: Generation, scope: Scope, receive: Receive, turn: Turn, request_id: str, *, place: Place | None = None
) -> Asking:
    """Read, admit and decide; without a ``place`` it counts for nothing. Raises a ``RouterError`` that has an answer,
    or ``ClientGone``. Nothing is sent but the prompt to the embedding model, where one is configured and the request
    may go there."""
    headers = scope["headers"]
    key = None if generation.keys is None else authorise(generation.keys, headers, generation.unix_time())
    asked = read_requirements(headers, key, generation.vocabulary)
    server = generation.loaded.config.server
    _check_load(generation, asked.criticality, None if place is None else _whose(generation, place, key))
    _check_media_type(headers)
    announced = announced_bytes(headers)
    if announced is not None and announced > server.max_body:
        raise BodyTooLarge(server.max_body)
    body = await read_body(receive, max_bytes=server.max_body, deadline_s=server.read_timeout)
    chat = read_chat(body, generation.loaded.config.router.max_tokens)
    admission = UNLIMITED if place is None else await generation.limiting.admit(key, most_tokens(chat))
    try:
        key_name = None if key is None else key.name
        belonging = await generation.meaning.of(asked_text(chat), asked.requirements, request_id, key_name)
        facts = facts_of(
            chat,
            asked.requirements,
            strategy=asked.strategy,
            session=asked.session,
            key=key_name,
            categories=generation.categories,
            belongs_to=belonging.categories,
            client_region=asked.client_region,
            headers=asked.headers,
        )
        decision = decide(facts, generation.board.snapshot(), generation.policy, turn)
    except BaseException:
        admission.settle(0)
        raise
    return Asking(chat, key, decision, belonging.asked, admission)


class _Conversation:
    """One admitted request from the decision to the last byte."""

    def __init__(self, generation: Generation, exchange: Exchange, send: Send) -> None:
        self._attempts, self._settlement = generation.attempts, generation.settlement
        self._exchange, self._send = exchange, send
        self._usage_sent = False

    async def hold(self) -> None:
        try:
            if self._exchange.chat.stream:
                await self._stream()
            else:
                await self._whole()
        except (ClientError, NoTarget) as error:
            self._settlement.settle(self._exchange, error.status)
            await _refuse(self._send, self._exchange.request_id, error, self._exchange)

    async def _whole(self) -> None:
        attempt, body = await self._attempts.whole(self._exchange)
        choice = attempt.choice
        self._attempts.succeeded(self._exchange)
        record = self._settlement.settle(self._exchange, 200)
        headers = [JSON, (b"content-length", b"%d" % len(body))]
        headers += _explain(self._exchange, choice, attempt.dropped, record)
        await self._start(200, headers)
        await self._body(body, more=False)

    async def _stream(self) -> None:
        attempt, pieces = await self._attempts.stream(self._exchange)
        choice = attempt.choice
        self._exchange.committed = True
        await self._start(200, EVENTS + _explain(self._exchange, choice, attempt.dropped, None))
        try:
            while pieces:
                if data := self._encode(pieces):
                    await self._body(data, more=True)
                pieces = await attempt.more()
        except AttemptFailed as failure:
            self._attempts.interrupted(self._exchange, failure)
            self._settlement.settle(self._exchange, 502)
            await self._body(_interrupted(choice, failure), more=False)
            return
        self._attempts.succeeded(self._exchange)
        record = self._settlement.settle(self._exchange, 200)
        await self._body(self._tail(choice, record), more=False)

    async def _start(self, status: int, headers: RawHeaders) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _encode(self, pieces: list[Piece]) -> bytes:
        """The pieces as OpenAI events: the upstream's own bytes where it speaks OpenAI, else written anew. Nobody gets
        usage who did not ask for it; ``[DONE]`` is the router's own, in the tail."""
        exchange, parts = self._exchange, []
        for piece in pieces:
            if piece.usage_only and (piece.raw is None or not exchange.chat.include_usage):
                continue
            if piece.raw is not None:
                self._usage_sent |= piece.usage_only
                parts.append(sse.event(piece.raw))
            elif piece.delta is not None or piece.finish is not None:
                data = chunk(piece, id=self._answer_id, created=int(exchange.unix_time), model=self._model(piece))
                parts.append(sse.event(data))
        return b"".join(parts)

    def _tail(self, choice: Choice, record: Record) -> bytes:
        tail = b""
        if self._exchange.chat.include_usage and not self._usage_sent:
            model, created = choice.target.model, int(self._exchange.unix_time)
            tail = sse.event(usage_chunk(record.usage, id=self._answer_id, created=created, model=model))
        cost = "unknown" if record.cost_usd is None else f"{record.cost_usd:.9f}"
        tail += sse.comment(f"x-llm-router-cost-usd: {cost}")
        return tail + sse.event(b"[DONE]")

    @property
    def _answer_id(self) -> str:
        return f"chatcmpl-{self._exchange.request_id}"

    def _model(self, piece: Piece) -> str:
        attempt = self._exchange.attempt
        known = attempt.model or attempt.choice.target.model if attempt is not None else ""
        return piece.model or known


def _remember(generation: Generation, request_id: str, asking: Asking, started_at: float) -> Exchange:
    exchange = Exchange(
        request_id=request_id,
        chat=asking.chat,
        decision=asking.decision,
        started_at=started_at,
        unix_time=generation.unix_time(),
        key_name=asking.key.name if asking.key else None,
        aside=asking.aside,
        admission=asking.admission,
    )
    first = asking.decision.choices[0]
    generation.metrics.decided(first.target, first.reason, generation.clock() - started_at)
    woken = generation.rents.observe(asking.decision.demand)
    generation.decisions.append(Decided(request_id, exchange.unix_time, asking.decision, woken))
    return exchange


def _explain(exchange: Exchange, choice: Choice, dropped: tuple[str, ...], record: Record | None) -> RawHeaders:
    """The ``x-llm-router-*`` headers: who answered, why, after how many attempts, for how much."""
    attempts = exchange.attempts
    pairs = [
        ("target", choice.target.name),
        ("model", choice.target.model),
        ("reason", exchange.reason_of(choice)),
        ("attempts", str(attempts)),
        ("request-id", exchange.request_id),
    ]
    if record is not None:
        pairs.append(("cost-usd", "unknown" if record.cost_usd is None else f"{record.cost_usd:.9f}"))
    if dropped:
        pairs.append(("dropped", ",".join(dropped)))
    headers = [(b"x-llm-router-" + name.encode(), value.encode("latin-1", "replace")) for name, value in pairs]
    return headers + _limits(exchange)


def _limits(exchange: Exchange) -> RawHeaders:
    return [(name.encode(), value.encode()) for name, value in exchange.admission.headers]


def _interrupted(choice: Choice, failure: AttemptFailed) -> bytes:
    """After the commit point: never another model in the same answer, but a clean typed error, and no ``[DONE]``."""
    message = f"The answer of {choice.target.name} was interrupted ({failure.reason}); what came before is incomplete."
    return sse.event(error_body(502, "upstream_interrupted", message))


async def _refuse(send: Send, request_id: str, error: RouterError, exchange: Exchange | None = None) -> int:
    status, headers, body = answer_of(error)
    headers.append((b"x-llm-router-request-id", request_id.encode()))
    if exchange is not None:
        headers.append((b"x-llm-router-attempts", b"%d" % exchange.attempts))
        headers += _limits(exchange)
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


def _whose(generation: Generation, place: Place, key: ApiKey | None) -> str | None:
    """Among several keys the name of the one whose ``place`` it is."""
    if key is None or generation.keys is None or len(generation.keys) == 1:
        return None
    place.taken_by(key.name)
    return key.name


def _check_load(generation: Generation, criticality: Criticality, key_name: str | None) -> None:
    places = generation.loaded.config.server.max_requests
    cause = generation.load.too_much_for(criticality, places, key_name)
    if cause is not None:
        generation.metrics.shed(criticality, cause)
        raise overloaded(cause)


def _check_media_type(headers: list[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        if name == b"content-type":
            kind, _, parameters = value.lower().partition(b";")
            charset = parameters.replace(b" ", b"").removeprefix(b"charset=").strip(b'"')
            if kind.strip() != b"application/json" or charset not in (b"", b"utf-8"):
                raise ClientError(415, "unsupported_media_type", "Send the body as application/json in UTF-8.")
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise ClientError(415, "unsupported_media_type", "Send the body uncompressed.")
