"""Active health: is the target's owner there, and how long does it take to say so?

One success makes it healthy; a refused connection makes it unhealthy at once, anything else only the second time in a
row, for which it is looked again soon. What this process cannot ask, because it is out of file descriptors, says
nothing. A healthy answer here never closes a breaker: an engine can be alive while its
slots hang.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence

import httpx
from msgspec import Struct

from ..errors import AttemptFailed, RouterFull, UpstreamRefused
from ..model import Health
from ..upstream.descriptors import out_of_descriptors
from ..upstream.sender import Account
from .judging import JudgingTransport

UNHEALTHY_AFTER = 2
MAX_BODY_BYTES = 256 * 1024
NOBODY_BEHIND = frozenset({502, 503, 504})
"""What a load balancer or ingress answers for a service without pods."""


USUAL_PACE, DOUBTFUL_PACE = 2 / 3, 1 / 6
"""Of the configured interval, between the starts of two checks, ± 20 %: such that whoever fails, or is silent for the
fifth of the interval that a check may take, is unhealthy within the interval and one more check."""


class HealthReport(Struct, frozen=True, kw_only=True):
    """The last check of one owner. ``last_check`` is a Unix time, 0 for never. ``absent`` says that nobody answered at
    its address: where a pool may be at zero, that is what it looks like."""

    status: Health = "unknown"
    latency_ms: float | None = None
    last_check: float = 0.0
    error: str | None = None
    absent: bool = False


class HealthRecord:
    """The checks of one cluster or provider, as they come in."""

    def __init__(self) -> None:
        self.report = HealthReport()
        self._failures = 0

    def pace_s(self, interval_s: float) -> float:
        """Until the next check begins, where an outage is to be noticed within ``interval_s``."""
        doubtful = self._failures and self.report.status != "unhealthy"
        return interval_s * (DOUBTFUL_PACE if doubtful else USUAL_PACE)

    def passed(self, latency_ms: float, at_unix: float) -> None:
        self._failures = 0
        self.report = HealthReport(status="healthy", latency_ms=latency_ms, last_check=at_unix)

    def failed(self, error: str, at_unix: float, *, definite: bool, absent: bool = False) -> None:
        self._failures += 1
        status: Health = self.report.status
        if definite or self._failures >= UNHEALTHY_AFTER:
            status = "unhealthy"
        self.report = HealthReport(status=status, last_check=at_unix, error=error, absent=absent)


class HealthCheck:
    """One GET on a health endpoint, over a control-plane client that it owns. ``account`` has the credentials that
    ``headers`` do not hold."""

    def __init__(
        self,
        *,
        url: str,
        headers: tuple[tuple[str, str], ...],
        timeout_s: float,
        client: httpx.AsyncClient,
        unix_time: Callable[[], float],
        account: Account | None = None,
    ) -> None:
        self.record = HealthRecord()
        self._url, self._headers, self._timeout_s, self._account = url, headers, timeout_s, account
        self._client, self._unix_time = client, unix_time

    async def check(self) -> HealthReport:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                lent = () if self._account is None else await self._account.headers()
                headers = [*self._headers, *lent]
                status, _ = await fetched(self._client, self._url, headers, timeout_s=self._timeout_s)
        except TimeoutError:
            error = f"no answer within {self._timeout_s:g} s"
            self.record.failed(error, self._unix_time(), definite=False, absent=True)
        except httpx.ConnectError as exc:
            if out_of_descriptors():
                return self.record.report  # nobody was asked
            self.record.failed(f"no connection: {exc}", self._unix_time(), definite=True, absent=True)
        except RouterFull:
            return self.record.report
        except AttemptFailed as exc:
            self.record.failed(str(exc), self._unix_time(), definite=isinstance(exc, UpstreamRefused))
        except httpx.HTTPError as exc:
            self.record.failed(f"{type(exc).__name__}: {exc}", self._unix_time(), definite=False)
        else:
            if 200 <= status < 300:
                self.record.passed((time.perf_counter() - started) * 1000, self._unix_time())
            else:
                refused = status in (401, 403)
                hint = ": the credentials are refused" if refused else ""
                self.record.failed(
                    f"status {status}{hint}",
                    self._unix_time(),
                    definite=refused,
                    absent=status in NOBODY_BEHIND,
                )
        return self.record.report

    async def aclose(self) -> None:
        await self._client.aclose()


class NeverHealthy:
    """In the place of a check that cannot be made: unhealthy, for a reason that the operator can mend."""

    def __init__(self, reason: str, unix_time: Callable[[], float]) -> None:
        self.record = HealthRecord()
        self._reason, self._unix_time = reason, unix_time

    async def check(self) -> HealthReport:
        self.record.failed(self._reason, self._unix_time(), definite=True)
        return self.record.report

    async def aclose(self) -> None:
        return


def control_plane_client(tls: ssl.SSLContext, *, private: bool = False) -> httpx.AsyncClient:
    """The HTTP client of health and status: no redirects, no proxies from the environment, and to no address that the
    data path would not connect to. ``private`` as for ``upstream.client.Client``."""
    transport = JudgingTransport(httpx.AsyncHTTPTransport(verify=tls, trust_env=False), private=private)
    return httpx.AsyncClient(follow_redirects=False, trust_env=False, transport=transport)


async def fetched(
    client: httpx.AsyncClient, url: str, headers: Sequence[tuple[str, str]], *, timeout_s: float
) -> tuple[int, bytes]:
    """The status of a GET, and its body: of one that is too long no more than a little over ``MAX_BODY_BYTES``, and
    nothing of one that is packed, which nobody asked for, and a few bytes of which may fill any memory."""
    body = b""
    plain = [*headers, ("accept-encoding", "identity")]
    async with client.stream("GET", url, headers=plain, timeout=timeout_s) as response:
        if "content-encoding" not in response.headers:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    break
    return response.status_code, body
