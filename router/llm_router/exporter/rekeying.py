"""The keys of the signed status, followed in the configuration's file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from ..api.rekeying import Rekeying
from ..api.signed_config import SigningKey
from .check import check
from .config import ExporterConfig

logger = logging.getLogger("llm_router.exporter")


def rekeying(
    config: ExporterConfig, load: Callable[[], ExporterConfig], rekey: Callable[[Mapping[str, bytes]], None]
) -> Rekeying[ExporterConfig]:
    return Rekeying(config, load, rekey, check=check, keys=_keys, rest=_rest, logger=logger)


def _keys(config: ExporterConfig) -> Sequence[SigningKey]:
    return () if config.status is None else config.status.keys


def _rest(config: ExporterConfig) -> ExporterConfig:
    if config.status is None:
        return config
    return structs.replace(config, status=structs.replace(config.status, keys=()))
