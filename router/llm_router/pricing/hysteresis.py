"""A figure that stands still while the live one trembles."""

from __future__ import annotations


class HeldFigure:
    """Holds a figure and follows the live one only when that leaves the band of ``± margin`` (a share of the held
    figure), and at most once per ``hold_s`` seconds. ``None`` is unknown, and becoming unknown is a change like any
    other. The first known figure is adopted at once."""

    def __init__(self, margin: float, hold_s: float) -> None:
        if not margin >= 0 or not hold_s >= 0:
            raise ValueError(f"margin and hold must not be negative, got {margin!r} and {hold_s!r}")
        self._margin, self._hold_s = margin, hold_s
        self._held: float | None = None
        self._changed_at: float | None = None

    @property
    def value(self) -> float | None:
        """The held figure."""
        return self._held

    def update(self, value: float | None, now: float) -> float | None:
        """Takes the live figure at ``now`` (monotonic seconds) and returns the held one."""
        if self._left_band(value) and (self._changed_at is None or now - self._changed_at >= self._hold_s):
            self._held, self._changed_at = value, now
        return self._held

    def _left_band(self, value: float | None) -> bool:
        if value is None or self._held is None:
            return value is not self._held
        return abs(value - self._held) > self._margin * self._held
