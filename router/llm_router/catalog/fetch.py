"""Weights onto a pool's volume: downloaded with resumption, and never left there unless size and SHA-256 are right."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from ..config.hosts import is_loopback
from ..errors import RouterError
from .files import sha256_of

TRIES = 8
LONGEST_PAUSE_S = 60.0
SILENCE_S = 30.0

logger = logging.getLogger("llm_router.catalog")


class FetchFailed(RouterError):
    """The weights are not there; the text says why, and ``again`` whether another try may help."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        self.again = again
        super().__init__(message)


class Wanted(Struct, frozen=True, kw_only=True):
    """What is to lie at ``file``. Without ``uri`` it must lie there already."""

    file: Path
    sha256: str
    size_bytes: int
    uri: str | None = None


def fetch(wanted: Wanted, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Come back once the right file is there. Raises ``FetchFailed``.

    What another pod wrote to a shared volume meanwhile is taken too. A pod that starts again goes on where it stopped.
    """
    if _is_there(wanted):
        return
    if wanted.uri is None:
        raise FetchFailed(f"{wanted.file} is not what was asked for, and there is no URI to get it from")
    part = wanted.file.with_name(f".{wanted.file.name}.{socket.gethostname()}.part")
    _download(wanted, wanted.uri, part, sleep)
    found = sha256_of(part)
    if found != wanted.sha256:
        part.unlink()
        raise FetchFailed(f"{wanted.uri} has the sha256 {found}, wanted is {wanted.sha256}: nothing was kept")
    os.replace(part, wanted.file)
    logger.info("%s is there and verified", wanted.file)


def _is_there(wanted: Wanted) -> bool:
    if not wanted.file.exists():
        return False
    size = wanted.file.stat().st_size
    if size == wanted.size_bytes and sha256_of(wanted.file) == wanted.sha256:
        logger.info("%s is there already and verified", wanted.file)
        return True
    logger.warning("%s (%d bytes) is not what was asked for", wanted.file, size)
    return False


def _download(wanted: Wanted, uri: str, part: Path, sleep: Callable[[float], None]) -> None:
    _check_uri(uri)
    wanted.file.parent.mkdir(parents=True, exist_ok=True)
    timeout = httpx.Timeout(SILENCE_S)
    hooks = {"request": [lambda request: _check_uri(str(request.url))]}
    with httpx.Client(follow_redirects=True, timeout=timeout, event_hooks=hooks) as client:
        for attempt in range(TRIES):
            try:
                _continue(client, uri, part, wanted.size_bytes)
                return
            except FetchFailed as failed:
                if not failed.again or attempt == TRIES - 1:
                    raise
                pause_s = min(LONGEST_PAUSE_S, 2.0**attempt)
                logger.warning("%s; again in %g s", failed, pause_s)
                sleep(pause_s)


def _check_uri(uri: str) -> None:
    """Also of every place that a redirect leads to."""
    parts = urlsplit(uri)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise FetchFailed(f"{parts.scheme}://{parts.hostname} is not https: weights are not taken from there")


def _continue(client: httpx.Client, uri: str, part: Path, size_bytes: int) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= size_bytes:
        if have == size_bytes:
            return
        part.unlink()
        have = 0
    headers = {"accept-encoding": "identity", **({"range": f"bytes={have}-"} if have else {})}
    try:
        with client.stream("GET", uri, headers=headers) as answer:
            have = _start(answer, have)
            _write(answer, part, have, size_bytes)
    except httpx.HTTPError as error:
        raise FetchFailed(f"{uri}: {str(error) or type(error).__name__}", again=True) from error
    done = part.stat().st_size
    if done != size_bytes:
        raise FetchFailed(f"{uri} ended after {done} of {size_bytes} bytes", again=True)


def _start(answer: httpx.Response, have: int) -> int:
    """How many of the bytes that are there already the answer goes on from."""
    status = answer.status_code
    if status == 206 and answer.headers.get("content-range", "").startswith(f"bytes {have}-"):
        return have
    if status == 200:
        return 0
    raise FetchFailed(f"{answer.url} answers {status}", again=status in (408, 429) or status >= 500)


def _write(answer: httpx.Response, part: Path, have: int, size_bytes: int) -> None:
    with part.open("ab") as stream:
        stream.truncate(have)
        for chunk in answer.iter_raw():
            have += len(chunk)
            if have > size_bytes:
                raise FetchFailed(f"{answer.url} has more than the {size_bytes} bytes that were asked for")
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
