"""One send to one target: it owns its deadlines and its connection, and knows when it has committed.

``open`` holds everything back until the first content, so that a failure before it can still go elsewhere; ``more``
hands on what follows. Success is the upstream's own terminal event: an end of the stream without it is a broken
answer, whatever the framing says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from ..errors import AttemptFailed, ClientError, TargetUnsuited, UpstreamBroken, UpstreamRefused, UpstreamSilent
from ..model import Choice, Facts, Finish, Usage
from ..routing.facts import BYTES_PER_TOKEN, ChatRequest
from ..state.counters import Lease
from ..upstream.client import Answer
from ..upstream.sender import Sender
from ..upstream.sse import Splitter
from ..upstream.wire.base import Outgoing, Piece
from ..upstream.wire.usage import believable
from .deadlines import Deadlines
from .standing import Slot

MAX_ERROR_BYTES = 64 * 1024
MAX_HELD_PIECES, MAX_HELD_BYTES = 1024, 4 * 1024 * 1024
"""What may come before the first content. Nobody has been told anything by then, so it is all kept."""
SLOWEST_TOKENS_PER_SECOND = 20.0
"""Slower than that a silent upstream counts as gone."""
UNBOUNDED_TOKENS = 4096
"""What an answer without ``max_tokens`` may have."""


class Attempt:
    """``now`` is a monotonic clock in seconds. Close it when done with it: that gives its slot back."""

    def __init__(
        self, choice: Choice, sender: Sender, deadlines: Deadlines, now: Callable[[], float], slot: Slot
    ) -> None:
        self.choice, self.started_at = choice, now()
        self.first_content_at: float | None = None
        self.finish: Finish | None = None
        self.model: str | None = None
        self.dropped: tuple[str, ...] = ()
        self.lease: Lease | None = None
        """What it may use of limits and budgets. Whoever ends the attempt settles it."""
        self._sender, self._now, self._slot = sender, now, slot
        self._deadlines = deadlines
        self._splitter = Splitter()
        self._reader = sender.wire.reader()
        self._answer: Answer | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._usage: Usage | None = None
        self.received_bytes = self._content_pieces = 0
        self.sent = False
        """Whether the prompt may have gone out."""
        self._terminal = False
        self._failure: AttemptFailed | None = None

    @property
    def collects(self) -> bool:
        """Whether a whole answer is put together from the events of a stream."""
        return self._sender.wire.collects

    async def open(self, chat: ChatRequest, request_id: str) -> list[Piece]:
        """Send, and wait for the first content: the pieces up to and including it. Raises ``AttemptFailed``."""
        answer = await self._send(self._outgoing(chat), request_id)
        held: list[Piece] = []
        while self._failure is None and self.first_content_at is None and self.finish is None:
            held += await self._next(answer)
            if len(held) > MAX_HELD_PIECES or self.received_bytes > MAX_HELD_BYTES:
                raise UpstreamBroken(f"{len(held)} events, {self.received_bytes} bytes, and hardly content among them")
        if self._failure is not None:
            raise self._failure  # nothing has gone out yet, so what came before it need not either
        return held

    async def more(self) -> list[Piece]:
        """What comes next, as it comes; empty at the end of a complete answer. Raises ``AttemptFailed``."""
        if self._answer is None:
            raise RuntimeError("more() before open()")
        if self._failure is not None:
            raise self._failure
        while not self._terminal:
            try:
                pieces = await self._next(self._answer)
            except UpstreamSilent:
                if self.finish is None:
                    raise
                self._terminal = True  # finished; its usage did not come in time
                break
            if pieces:
                return pieces
        return []

    async def rest(self, most_bytes: int) -> list[Piece]:
        """What comes until the end of the answer, or until it is ``most_bytes`` long. Raises ``AttemptFailed``."""
        pieces: list[Piece] = []
        while self.received_bytes < most_bytes and (more := await self.more()):
            pieces += more
        return pieces

    async def whole(self, chat: ChatRequest, request_id: str, reading_s: float | None = None) -> bytes:
        """Send without streaming, and read the whole answer: a validated ``chat.completion`` as it came. It is silent
        until it is complete, so the first token's deadline is stretched by the tokens that may come, and the prompt
        counts as read after the ``reading_s`` that were predicted for it."""
        self._deadlines.stretch(
            (chat.max_tokens or chat.longest_answer or UNBOUNDED_TOKENS) / SLOWEST_TOKENS_PER_SECOND
        )
        if reading_s is not None:
            self._reading = asyncio.get_running_loop().call_later(reading_s, self._slot.prompt_read)
        answer = await self._send(self._outgoing(chat), request_id)
        with self._deadlines:
            body = await answer.read()
        try:
            complete = self._sender.wire.answer(body)
        except UpstreamRefused as refused:
            raise self._sender.masked(refused) from None
        self._usage, self.finish, self.model = complete.usage, complete.finish, complete.model
        self._content_pieces = max(1, len(body) // BYTES_PER_TOKEN)
        self._terminal = True
        return body

    def usage(self, facts: Facts) -> Usage:
        """What the upstream says it used, where that can be believed, else an estimate marked as one: the prompt as
        estimated before sending, and a token for each content event."""
        if self._usage is not None and believable(self._usage, self.choice.target.context_length):
            return self._usage
        return Usage(input_tokens=facts.input_tokens, output_tokens=self._content_pieces, estimated=True)

    @property
    def billable(self) -> bool:
        """Whether tokens came, so that somebody will be charged for them."""
        return self._usage is not None or self._content_pieces > 0

    def close(self) -> None:
        self._deadlines.stop()
        if self._reading is not None:
            self._reading.cancel()
        if self._answer is not None:
            self._answer.close()
        self._slot.release()

    def _outgoing(self, chat: ChatRequest) -> Outgoing:
        try:
            return self._sender.outgoing(chat)
        except ClientError as error:
            raise TargetUnsuited(error) from error

    async def _send(self, outgoing: Outgoing, request_id: str) -> Answer:
        self.dropped = outgoing.dropped
        self.sent = True
        with self._deadlines:
            self._answer = answer = await self._sender.send(outgoing, request_id)
            if answer.status == 200:
                return answer
            body = await _beginning(answer)
        raise self._sender.refused(answer.status, answer.headers, body)

    async def _next(self, answer: Answer) -> list[Piece]:
        with self._deadlines:
            data = await answer.some()
        self.received_bytes += len(data)
        pieces: list[Piece] = []
        try:
            for piece in self._understood(data):
                if piece is not None:
                    self._note(piece)
                    pieces.append(piece)
        except AttemptFailed as failure:
            told = self._sender.masked(failure) if isinstance(failure, UpstreamRefused) else failure
            if not pieces:
                raise told from None
            self._failure = told  # what came before it in the same breath is good
        return pieces

    def _understood(self, data: bytes) -> Iterator[Piece | None]:
        if data:
            for event in self._splitter.feed(data):
                yield self._reader.read(event.data, event.name)
        else:
            yield self._at_the_end()

    def _at_the_end(self) -> Piece | None:
        """The stream ended: fine after a finish reason, a broken answer without one."""
        piece = self._reader.end()
        if piece is None and self.finish is None:
            raise UpstreamBroken("the stream ended without a finish reason")
        self._terminal = True
        return piece

    def _note(self, piece: Piece) -> None:
        if piece.content:
            self._content_pieces += 1
            if self.first_content_at is None:
                self.first_content_at = self._now()
                self._slot.prompt_read()
            self._deadlines.content()
        if piece.usage is not None:
            self._usage = piece.usage
        if piece.model is not None:
            self.model = piece.model
        if piece.finish is not None:
            self.finish = piece.finish
            self._deadlines.finishing()
        if piece.terminal:
            if self.finish is None:
                raise UpstreamBroken("the stream says it is done, without a finish reason")
            self._terminal = True


async def _beginning(answer: Answer) -> bytes:
    """As much of an error's body as anybody needs to understand it."""
    body = b""
    while len(body) < MAX_ERROR_BYTES and (data := await answer.some()):
        body += data
    return body[:MAX_ERROR_BYTES]
