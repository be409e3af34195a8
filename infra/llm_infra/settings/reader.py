"""Typed reading of Pulumi's configuration, whose values are all text; problems are collected, not raised one by one."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network

from ..errors import Problem

#: Full key (``llm-aws:name``, ``aws:region``) → its text, None where it is not set.
Get = Callable[[str], str | None]


class Reader:
    """Reads keys of one project. What cannot be read is told in ``problems`` and stands in as something harmless."""

    def __init__(self, project: str, get: Get) -> None:
        self._project = project
        self._get = get
        self.problems: list[Problem] = []
        #: Every key that was asked for: what Pulumi.yaml has to declare.
        self.keys: set[str] = set()

    def tell(self, key: str, message: str) -> None:
        self.problems.append(Problem(key, message))

    def refuse_others(self, given: Iterable[str]) -> None:
        """Once everything was read: keys of the project that nobody asked for. Pulumi takes any."""
        for key in sorted(full.removeprefix(f"{self._project}:") for full in given):
            if ":" not in key and key not in self.keys:
                near = difflib.get_close_matches(key, self.keys, 1)
                meant = f"did you mean {near[0]}? " if near else ""
                self.tell(key, f"no such key: {meant}pulumi config rm {self._project}:{key}")

    def optional(self, key: str) -> str | None:
        """None where it is not set, or set to nothing: Pulumi.yaml cannot declare a key without demanding a value."""
        self.keys.add(key)
        return self._get(key if ":" in key else f"{self._project}:{key}") or None

    def text(self, key: str) -> str:
        text = self.optional(key)
        if not text:
            full = key if ":" in key else f"{self._project}:{key}"
            self.tell(key, f"not set: pulumi config set {full} VALUE")
            return ""
        return text

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        text = self.text(key)
        if text and text not in choices:
            self.tell(key, f"{text!r} is none of {', '.join(choices)}")
            return choices[0]
        return text or choices[0]

    def whole(self, key: str, least: int, most: int) -> int:
        text = self.text(key)
        try:
            value = int(text or least)
        except ValueError:
            self.tell(key, f"{text!r} is not a whole number")
            return least
        if not least <= value <= most:
            self.tell(key, f"{value} must be from {least} to {most}")
            return least
        return value

    def positive(self, key: str) -> float | None:
        """None where the key is not set."""
        text = self.optional(key)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            self.tell(key, f"{text!r} is not a number above 0")
            return None
        return value

    def flag(self, key: str) -> bool:
        return self.one_of(key, ("false", "true")) == "true"

    def texts(self, key: str) -> tuple[str, ...]:
        """A list. Not set is empty."""
        text = self.optional(key)
        if text is None:
            return ()
        try:
            values = json.loads(text)
        except json.JSONDecodeError:
            values = None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.tell(
                key, f"{text!r} is not a list of texts: pulumi config set --path '{self._project}:{key}[0]' VALUE"
            )
            return ()
        return tuple(values)

    def network(self, key: str) -> IPv4Network:
        text = self.text(key)
        return self._network(key, text) or IPv4Network("0.0.0.0/32")

    def networks(self, key: str) -> tuple[IPv4Network, ...]:
        found = (self._network(key, text) for text in self.texts(key))
        return tuple(network for network in found if network is not None)

    def _network(self, key: str, text: str) -> IPv4Network | None:
        if not text:
            return None
        try:
            return IPv4Network(text)
        except ValueError as error:
            self.tell(key, f"{text!r} is not an IPv4 network such as 10.16.0.0/16: {error}")
            return None
