"""The requirements of a request: what its headers demand, on top of what its API key demands.

A header can tighten what the key says, never loosen it: tags add up, a maximum takes the smaller figure, of two regions
the one within the other counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..admission.keys import ApiKey
from ..admission.load import ORDER, Criticality, lower
from ..config.regions import near_names, within
from ..errors import ClientError
from ..model import Requirements
from ..routing.strategies import STRATEGIES
from ..routing.vocabulary import Vocabulary

Headers = Sequence[tuple[bytes, bytes]]

_PREFIX = b"x-llm-"
_ADD_UP = frozenset({"compliance", "region"})


class Asked(Struct, frozen=True):
    """What the ``X-LLM-*`` headers and the key say together; ``client_region`` and ``headers`` as in ``Facts``."""

    requirements: Requirements
    strategy: str | None = None
    session: str | None = None
    client_region: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    criticality: Criticality = "default"


def read_requirements(headers: Headers, key: ApiKey | None, vocabulary: Vocabulary) -> Asked:
    """Raises ``ClientError`` 400 that names the header at fault, 403 for a strategy that the key does not cover."""
    given = _given(headers)
    requirements = Requirements(
        compliance=_tags(given.pop("compliance", ""), vocabulary) | (key.tags if key else frozenset()),
        region=_region(given.pop("region", ""), vocabulary),
        max_latency_ms=_whole("X-LLM-Max-Latency-Ms", given.pop("max-latency-ms", None)),
        max_usd_per_1k_tokens=_positive("X-LLM-Max-Cost-Per-1K", given.pop("max-cost-per-1k", None)),
        priced=key is not None and key.budget is not None and key.budget.hard,
        exact_model=_flag("X-LLM-Exact-Model", given.pop("exact-model", None)),
        target=given.pop("target", None) or None,
        allowed_models=key.models if key else None,
        allowed_targets=key.targets if key else None,
    )
    strategy, session = given.pop("strategy", None) or None, given.pop("session", None) or None
    criticality = _criticality(given.pop("criticality", None), key)
    if given:
        raise _bad(f"X-LLM-{min(given)}", "no such header is known; a misspelt requirement must not be ignored")
    _check_scope(strategy, key)
    return Asked(
        requirements,
        strategy,
        session,
        _client_region(headers, vocabulary),
        _named(headers, vocabulary),
        criticality,
    )


def _tags(text: str, vocabulary: Vocabulary) -> frozenset[str]:
    tags = frozenset(_listed(text.lower()))
    if unknown := tags - vocabulary.known_tags:
        known = ", ".join(sorted(vocabulary.known_tags))
        raise _bad("X-LLM-Compliance", f"unknown tag {min(unknown)[:40]!r}; known are {known}")
    return tags


def _region(text: str, vocabulary: Vocabulary) -> str | None:
    narrowest: str | None = None
    for name in _listed(text):
        region = vocabulary.region(name)
        if region is None:
            near = near_names(name.lower()[:40], vocabulary.regions)
            raise _bad("X-LLM-Region", f"unknown region {name[:40]!r}; {near}")
        if narrowest is None or within(region, narrowest):
            narrowest = region
        elif not within(narrowest, region):
            raise _bad("X-LLM-Region", f"nobody is in {narrowest} and in {region} at once; ask for one of them")
    return narrowest


def _check_scope(strategy: str | None, key: ApiKey | None) -> None:
    if strategy is None or key is None or key.strategies is None or strategy in key.strategies:
        return
    if strategy not in STRATEGIES:
        return  # the decision refuses it, and says which ones there are
    allowed = ", ".join(sorted(key.strategies)) or "none"
    message = f"This API key does not cover the strategy {strategy!r}; it covers {allowed}."
    raise ClientError(403, "strategy_not_allowed", message, param="X-LLM-Strategy")


def _criticality(text: str | None, key: ApiKey | None) -> Criticality:
    """What the header claims, but no more than the key allows."""
    allowed = "default" if key is None else key.criticality
    if text is None:
        return allowed
    claimed = next((known for known in ORDER if known == text.lower()), None)
    if claimed is None:
        raise _bad("X-LLM-Criticality", f"expected one of {', '.join(ORDER)}, got {text[:40]!r}")
    return claimed if key is None else lower(claimed, allowed)


def _client_region(headers: Headers, vocabulary: Vocabulary) -> str | None:
    """What the proxy says; nothing where it says two things, because then one of them is not the proxy's."""
    if vocabulary.client_region_header is None:
        return None
    name = vocabulary.client_region_header.encode()
    said = {value.decode("latin-1").strip() for header, value in headers if header == name}
    return vocabulary.region(said.pop()) if len(said) == 1 else None


def _named(headers: Headers, vocabulary: Vocabulary) -> tuple[tuple[str, str], ...]:
    if not vocabulary.headers:
        return ()
    decoded = ((name.decode("latin-1"), value.decode("latin-1").strip()) for name, value in headers)
    return tuple((name, value) for name, value in decoded if name in vocabulary.headers)


def _listed(text: str) -> list[str]:
    return [item for item in (part.strip() for part in text.split(",")) if item]


def _given(headers: Headers) -> dict[str, str]:
    given: dict[str, str] = {}
    for raw_name, raw_value in headers:
        if raw_name.startswith(_PREFIX) and not raw_name.startswith(b"x-llm-router-"):
            name = raw_name[len(_PREFIX) :].decode("latin-1")
            value = raw_value.decode("latin-1").strip()
            if name not in given:
                given[name] = value
            elif name in _ADD_UP:
                given[name] += "," + value
            elif given[name] != value:
                raise _bad(f"X-LLM-{name}", "given twice with different values")
    return given


def _whole(header: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        raise _bad(header, f"expected a whole number above 0, got {text[:40]!r}")
    return int(text)


def _positive(header: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise _bad(header, f"expected USD above 0, got {text[:40]!r}")
    return value


def _flag(header: str, text: str | None) -> bool:
    if text is None or text.lower() in ("false", "0"):
        return False
    if text.lower() in ("true", "1"):
        return True
    raise _bad(header, f"expected true or false, got {text[:40]!r}")


def _bad(header: str, message: str) -> ClientError:
    return ClientError(400, "invalid_requirement", f"{header}: {message}.", param=header)
