"""AWS by its official client: calls in a thread, their failures as ``PriceUnknown``.

Who asks is found as everywhere at AWS: environment, web identity, Pod Identity, the machine's role.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...errors import ConfigError, Problem
from .base import PriceUnknown

CONNECT_S, READ_S, ATTEMPTS = 5, 10, 2
MAX_ITEMS = 10_000
"""Of one answer of many pages."""

T = TypeVar("T")


class AwsApi:
    """One service in one region. ``advice`` says what to do about an error code, beyond AWS's words.

    Raises ``ConfigError`` where boto3 is not installed. ``url`` is another endpoint, a private one for instance.
    """

    def __init__(self, service: str, region: str, url: str | None, advice: Mapping[str, str]) -> None:
        try:
            import boto3
            import botocore.config
            import botocore.exceptions
            import botocore.parsers
        except ImportError as error:
            message = "AWS's prices are asked for with boto3: pip install 'multicloud-llm-router[aws]'"
            raise ConfigError([Problem("price.live", message)]) from error
        self._make = boto3.session.Session().client
        self._settings = botocore.config.Config(
            connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"mode": "standard", "total_max_attempts": ATTEMPTS}
        )
        self._refusal: Any = botocore.exceptions.ClientError
        self._failures: Any = (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError)
        self._service, self._region, self._url, self._advice = service, region, url, advice
        self._client: Any = None

    async def call(self, what: Callable[[Any], T]) -> T:
        """What ``what`` makes of the client, in a thread."""
        return await asyncio.to_thread(self._call, what)

    def _call(self, what: Callable[[Any], T]) -> T:
        try:
            if self._client is None:
                self._client = self._make(
                    self._service, region_name=self._region, endpoint_url=self._url, config=self._settings
                )
            return what(self._client)
        except self._refusal as error:
            advice = self._advice.get(error.response.get("Error", {}).get("Code", ""))
            raise PriceUnknown(f"{error} ({advice})" if advice else str(error)) from error
        except self._failures as error:
            first_line = str(error).partition("\n")[0]
            raise PriceUnknown(f"AWS {self._service} in {self._region}: {first_line}") from error

    async def aclose(self) -> None:
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
