"""Configurations of the stacks as text, as the engine hands it over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from llm_infra.clouds import Cloud
from llm_infra.settings.load import Loaded, load
from tests.infra.programs import config_of, text_of

TODAY = date(2026, 11, 20)


def get_of(cloud: str, stack: str = "dev", **changes: Any) -> Callable[[str], str | None]:
    """The stack as shipped, with keys of the project changed; None takes a key away."""
    config = config_of(cloud, stack)
    for key, value in changes.items():
        config.pop(f"llm-{cloud}:{key}", None)
        if value is not None:
            config[f"llm-{cloud}:{key}"] = text_of(value)
    return config.get


def loaded(cloud: Cloud, stack: str = "dev", *, today: date = TODAY, **changes: Any) -> Loaded:
    return load(cloud, get_of(cloud, stack, **changes), today=today)
