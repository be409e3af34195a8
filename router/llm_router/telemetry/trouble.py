"""A trouble that lasts: logged when it begins or changes, and when it ends."""

from __future__ import annotations

import logging


class Trouble:
    """``over`` is logged when the trouble has ended."""

    def __init__(self, logger: logging.Logger, over: str) -> None:
        self._logger, self._over = logger, over
        self._said = ""

    def is_(self, text: str) -> None:
        if text != self._said:
            self._logger.warning("%s", text)
        self._said = text

    def ends(self) -> None:
        if self._said:
            self._logger.info("%s", self._over)
        self._said = ""
