"""What a whole pool has served: in all, and over the last minutes. Pure: the times are handed in."""

from __future__ import annotations

from collections import deque
from itertools import islice

from .meter import Served, ratio


class ServedByPool:
    """Adds up what its servers have served, whichever of them come, go or restart: no total ever falls.

    ``window_s`` is the time over which the realised speed is taken.
    """

    def __init__(self, *, window_s: float) -> None:
        self._window_s = window_s
        self._window: deque[tuple[float, float]] = deque()
        self.tokens = 0.0
        self.prompt_tokens = 0.0

    def add(self, at_s: float, served: Served) -> None:
        """``at_s`` is monotonic seconds; what is not later than the last counts as of then."""
        self.tokens += served.tokens
        self.prompt_tokens += served.prompt_tokens
        self._window.append((max(at_s, self._window[-1][0]) if self._window else at_s, served.tokens))
        # The oldest entry only marks where the window begins: its own tokens came before.
        while len(self._window) > 2 and self._window[1][0] <= at_s - self._window_s:
            self._window.popleft()

    @property
    def has_begun(self) -> bool:
        return bool(self._window)

    @property
    def tokens_per_second(self) -> float | None:
        """Over the window; zero when nothing was served, ``None`` before there is a window."""
        if len(self._window) < 2:
            return None
        tokens = sum(tokens for _, tokens in islice(self._window, 1, None))
        return 0.0 if tokens == 0 else ratio(tokens, self._window[-1][0] - self._window[0][0])
