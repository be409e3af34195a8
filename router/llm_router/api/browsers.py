"""What a web page may make a browser do to a listener that asks nobody who he is: nothing.

Such a listener is on loopback, where the browser of whoever works on that machine is, too. A page from anywhere can
have it send requests here (CSRF), and, once its own name leads to 127.0.0.1, read the answers (DNS rebinding). What
gives it away are the headers that browsers set and pages cannot: Host, Origin, Sec-Fetch-Site. Programs that are no
browsers leave out the latter two.
"""

from __future__ import annotations

from starlette.types import Scope

from ..config.hosts import is_loopback, parse_address
from .guard import Refusal

_SAFE = frozenset({"GET", "HEAD"})
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain")
"""What a page may send elsewhere without being asked first, also in browsers that leave out Origin."""


def judge_admin(scope: Scope) -> Refusal | None:
    """A page of another origin changes nothing, and one whose name was led here reads nothing."""
    host = _one(scope, b"host")
    if not _on_loopback(host):
        return _foreign("Host must name this machine: localhost, 127.0.0.1 or [::1]")
    if scope["method"] in _SAFE:
        return None
    if _one(scope, b"sec-fetch-site") not in (b"", b"same-origin", b"none"):
        return _foreign("a page of another site may not change anything here")
    origin = _one(scope, b"origin")
    if origin and origin not in (b"http://" + host, b"https://" + host):
        return _foreign("a page of another origin may not change anything here")
    if _one(scope, b"content-type").lower().startswith(_FORMS):
        return _foreign("a form may not change anything here: send JSON, or no body")
    return None


def judge_keyless(scope: Scope) -> Refusal | None:
    """No page but one from this machine spends money where no key is asked for."""
    origin = _one(scope, b"origin")
    if scope["method"] in _SAFE or not origin or _on_loopback(origin.partition(b"://")[2]):
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


def _one(scope: Scope, name: bytes) -> bytes:
    """The header's value, empty where it is missing. Several are joined, and so equal nothing that is allowed."""
    values: list[bytes] = [value for header, value in scope["headers"] if header == name]
    return b", ".join(values)
