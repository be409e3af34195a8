"""When a registry says that there is nothing: an empty answer is an outage more often than it is the truth."""

from __future__ import annotations

from collections.abc import Callable

from .base import Answer, Instance


class LastGood:
    """Holds what was found last. Nothing replaces something only when every answer for ``apart_s`` has said so, the
    first and the last of them whole listings. ``clock`` is monotonic seconds."""

    def __init__(self, instances: tuple[Instance, ...], apart_s: float, clock: Callable[[], float]) -> None:
        self.instances = instances
        self._apart_s, self._clock = apart_s, clock
        self._empty_since: float | None = None
        self.doubted = False

    def take(self, answer: Answer) -> None:
        """``doubted`` then says whether the registry claims that there is nothing, and is not believed yet."""
        if answer.instances or not self.instances:
            self.instances, self._empty_since, self.doubted = answer.instances, None, False
            return
        self.doubted = True
        if answer.listed:
            self._confirm()

    def interrupted(self) -> None:
        """The registry was away: what it said before does not count any more."""
        self._empty_since = None

    def _confirm(self) -> None:
        now = self._clock()
        if self._empty_since is None:
            self._empty_since = now
        elif now - self._empty_since >= self._apart_s:
            self.instances, self._empty_since, self.doubted = (), None, False
