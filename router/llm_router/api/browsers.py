"""What a web page of others may make a browser do to a listener that asks nobody who he is, or that goes by a cookie:
nothing.

The former is on loopback, where the browser of whoever works on that machine is, too. A page from anywhere can
have it send requests here (CSRF), and, once its own name leads to 127.0.0.1, read the answers (DNS rebinding). What
gives it away are the headers that browsers set and pages cannot: Host, Origin, Sec-Fetch-Site. Programs that are no
browsers leave out the latter two.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

from ..config.hosts import is_loopback, parse_address
from .guard import Refusal

SAFE = frozenset({"GET", "HEAD"})
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain")
"""What a page may send elsewhere without being asked first, also in browsers that leave out Origin."""


PAGE_HEADER = b"x-llm-router-page"
"""What our own pages send: no form can, and no page of another origin without being asked first."""


def judge_admin(*, on_loopback: bool) -> Callable[[Scope], Refusal | None]:
    """A page of another origin changes nothing, and on loopback one whose name was led here reads nothing. Elsewhere it
    has no cookie to read with."""

    def judge(scope: Scope) -> Refusal | None:
        if on_loopback and not _on_loopback(header_of(scope, b"host")):
            return _foreign("Host must name this machine: localhost, 127.0.0.1 or [::1]")
        return None if scope["method"] in SAFE else _judge_change(scope)

    return judge


def judge_own_page(scope: Scope) -> Refusal | None:
    """A browser sends cookies along whoever has it ask, and logs in with whatever it is given: only a page that came
    from here may have it do so, and must show that it did."""
    own_site = header_of(scope, b"sec-fetch-site") == b"same-origin" or header_of(scope, b"origin") in _own(scope)
    if not own_site or not header_of(scope, PAGE_HEADER):
        return _foreign(f"only a page of this listener may do that, with {PAGE_HEADER.decode()}; programs send a key")
    return None


def _judge_change(scope: Scope) -> Refusal | None:
    if header_of(scope, b"sec-fetch-site") not in (b"", b"same-origin", b"none"):
        return _foreign("a page of another site may not change anything here")
    origin = header_of(scope, b"origin")
    if origin and origin not in _own(scope):
        return _foreign("a page of another origin may not change anything here")
    if header_of(scope, b"content-type").lower().startswith(_FORMS):
        return _foreign("a form may not change anything here: send JSON, or no body")
    return None


def _own(scope: Scope) -> tuple[bytes, bytes]:
    host = header_of(scope, b"host")
    return b"http://" + host, b"https://" + host


def judge_keyless(scope: Scope) -> Refusal | None:
    """No page but one from this machine spends money where no key is asked for."""
    origin = header_of(scope, b"origin")
    if scope["method"] in SAFE or not origin or _on_loopback(origin.partition(b"://")[2]):
        return None
    return _foreign("a page of another machine may not send requests to a router without API keys")


def _foreign(message: str) -> Refusal:
    return Refusal(403, FOREIGN, message)


FOREIGN = "foreign_request"


def _on_loopback(authority: bytes) -> bool:
    """Whether ``host`` or ``host:port`` is this machine's."""
    text = authority.decode("latin-1")
    try:
        host = parse_address(text)[0]
    except ValueError:
        host = text
    return is_loopback(host)


def header_of(scope: Scope, name: bytes) -> bytes:
    """The header's value, empty where it is missing. Several are joined, and so equal nothing that is allowed."""
    values: list[bytes] = [value for header, value in scope["headers"] if header == name]
    return b", ".join(values)
