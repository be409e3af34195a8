"""One node: slots, one prompt read at a time, and all sequences decoded together, in steps of equal progress.

The model: a decode step of n sequences takes a + b·n. Prompts are read one after the other, in the order in which they
got their slots; while others decode, reading gets ``READING_SHARE`` of the node's time and decoding the rest. The first
token comes when the prompt is read, each further one takes a step.

Between two events all speeds stand still, so the node goes from event to event. Sequences that decode make equal
progress: each ends when the node's common progress reaches a mark of its own.
"""

from __future__ import annotations

import math
from collections import deque
from heapq import heappop, heappush

from .fleet import NodeSpeed
from .job import Job

READING_SHARE = 0.95
"""What reading a prompt gets of a node on which others decode."""


class Node:
    """A node that is ready. It does not know the time by itself: ``advance`` takes it to each moment, in order."""

    __slots__ = (
        "_decoding",
        "_now",
        "_progress",
        "_queue",
        "_speed",
        "_tie",
        "_unread",
        "idle_since",
        "paid_from",
        "tokens_ahead",
        "unread_tokens",
    )

    def __init__(self, speed: NodeSpeed, now: float, paid_from: float) -> None:
        self._speed, self._now = speed, now
        self.paid_from = paid_from
        self._queue: deque[Job] = deque()
        self._unread = 0.0
        """Tokens of the first prompt in the queue that are still to be read."""
        self._decoding: list[tuple[float, int, Job]] = []
        self._progress = 0.0
        self._tie = 0
        self.tokens_ahead = 0.0
        """Prompt tokens to be read before a request that comes now."""
        self.unread_tokens = 0
        """The same by whole prompts: what somebody outside can know, who sees first tokens only."""
        self.idle_since = now

    @property
    def busy(self) -> int:
        """Slots in use."""
        return len(self._queue) + len(self._decoding)

    @property
    def has_room(self) -> bool:
        return self.busy < self._speed.slots

    @property
    def decoding(self) -> int:
        """Sequences past their first token."""
        return len(self._decoding)

    def take(self, job: Job) -> None:
        """A request gets a slot now. Needs room."""
        if not self._queue:
            self._unread = float(job.request.input_tokens)
        self._queue.append(job)
        self.tokens_ahead += job.request.input_tokens
        self.unread_tokens += job.request.input_tokens

    def next_event(self) -> float:
        """When something ends next, if nothing else comes; ``inf`` while idle."""
        reading, decoding = self._rates()
        read_at = self._now + self._unread / reading if self._queue else math.inf
        if not self._decoding:
            return read_at
        return min(read_at, self._now + max(0.0, self._decoding[0][0] - self._progress) / decoding)

    def advance(self, now: float) -> list[Job]:
        """Work until ``now``, at most the next event. Returns the requests that are done; each knows its times."""
        reading, decoding = self._rates()
        passed = now - self._now
        self._now = now
        if self._decoding:
            self._progress += passed * decoding
        if self._queue:
            read = min(self._unread, passed * reading)
            self._unread -= read
            self.tokens_ahead -= read
            if self._unread <= _HAIR * reading:
                self._prompt_is_read()
        done = []
        while self._decoding and self._decoding[0][0] - self._progress <= _HAIR * decoding:
            done.append(self._finish(heappop(self._decoding)[2]))
        if done and not self.busy:
            self.idle_since = now
            self._progress = self.tokens_ahead = 0.0
        return done

    def _prompt_is_read(self) -> None:
        job = self._queue.popleft()
        self.tokens_ahead -= self._unread
        self.unread_tokens -= job.request.input_tokens
        self._unread = float(self._queue[0].request.input_tokens) if self._queue else 0.0
        job.first_token_s = self._now
        self._tie += 1
        heappush(self._decoding, (self._progress + job.request.output_tokens - 1, self._tie, job))

    def _finish(self, job: Job) -> Job:
        job.done_s = self._now
        return job

    def _rates(self) -> tuple[float, float]:
        """Prompt tokens read per second, and tokens per second that each sequence gets."""
        sequences = len(self._decoding)
        reading = self._speed.prefill_tokens_per_second
        if not sequences:
            return reading, 0.0
        decoding = 1 / self._speed.step_of(sequences)
        if not self._queue:
            return reading, decoding
        return reading * READING_SHARE, decoding * (1 - READING_SHARE)


_HAIR = 1e-6
"""Seconds: what is due within a microsecond is due now: clocks of long traces are no finer."""
