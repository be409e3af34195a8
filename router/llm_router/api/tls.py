"""TLS of a signed listener: mutual where client CAs are given, renewed without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator

from ..config.file_version import FileVersion, file_version
from ..errors import ConfigError, Problem
from .signed_config import ListenerTls

RELOAD_INTERVAL_S = 5.0

logger = logging.getLogger("llm_router.tls")


def server_context(tls: ListenerTls) -> ssl.SSLContext:
    """Raises ``ConfigError`` where the files do not make a working context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load(context, tls)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem("tls", f"the certificates cannot be used: {error}")]) from error
    if tls.client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def reload_forever(context: ssl.SSLContext, tls: ListenerTls, interval_s: float = RELOAD_INTERVAL_S) -> None:
    """Load renewed files into ``context``: new connections get them, open ones go on. Files that are broken, or only
    half written, are left until they change again. A removed client CA is trusted until the next start."""
    loaded = _version(tls)
    while True:
        await asyncio.sleep(interval_s)
        version = _version(tls)
        if version == loaded or version is None:
            continue
        try:
            _load(context, tls)
        except (OSError, ValueError) as error:
            logger.warning("renewed certificates cannot be used, the old ones stay: %s", error)
        else:
            logger.info("renewed certificates are in use")
        loaded = version


@contextlib.asynccontextmanager
async def renewing(context: ssl.SSLContext | None, tls: ListenerTls | None) -> AsyncIterator[None]:
    """Loads renewed files for as long as it is open."""
    if context is None or tls is None:
        yield
        return
    task = asyncio.create_task(reload_forever(context, tls))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _load(context: ssl.SSLContext, tls: ListenerTls) -> None:
    context.load_cert_chain(tls.cert_file, tls.key_file)
    if tls.client_ca_file is not None:
        context.load_verify_locations(tls.client_ca_file)


def _version(tls: ListenerTls) -> FileVersion | None:
    return file_version([tls.cert_file, tls.key_file, *([tls.client_ca_file] if tls.client_ca_file else [])])
