"""Requests in which two parsers might see different things, byte for byte: none of them may get anything done.

Each has the id of its case in the catalogue (docs/reference/reliability.md).
"""

from __future__ import annotations

from typing import NamedTuple

PATH = "/v1/chat/completions"
ADMIN = b"GET /admin/config HTTP/1.1\r\nhost: x\r\n\r\n"
"""What is smuggled: whoever answers it has seen two requests."""


class Case(NamedTuple):
    """``statuses`` are the answers that are right; nothing but the end of the connection is always right too."""

    id: str
    data: bytes
    statuses: frozenset[int] = frozenset({400})


def post(*lines: str, body: bytes = b"", path: str = PATH, host: str = "host: x") -> bytes:
    head = [f"POST {path} HTTP/1.1", *([host] if host else []), "content-type: application/json", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def get(target: str, *lines: str, host: str = "host: x", version: str = "1.1", method: str = "GET") -> bytes:
    head = [f"{method} {target} HTTP/{version}", *([host] if host else []), *lines, "connection: close", "", ""]
    return "\r\n".join(head).encode("latin-1")


def _lengths() -> list[Case]:
    chunked = b"0\r\n\r\n"
    return [
        Case("A1 length and chunked", post("content-length: 5", "transfer-encoding: chunked", body=chunked + ADMIN)),
        Case("A1 chunked and length", post("transfer-encoding: chunked", "content-length: 5", body=chunked + ADMIN)),
        Case("A1 length 0 and chunked", post("content-length: 0", "transfer-encoding: chunked", body=chunked + ADMIN)),
        Case("A2 two equal lengths", post("content-length: 2", "content-length: 2", body=b"{}" + ADMIN)),
        Case("A2 two lengths in one", post("content-length: 2, 2", body=b"{}" + ADMIN)),
        Case("A2 two different lengths", post("content-length: 2", "content-length: 43", body=b"{}" + ADMIN)),
        *(
            Case(f"A2 length {length!r}", post(f"content-length: {length}", body=b"{}" + ADMIN))
            for length in ("+2", "-2", "0x2", "2e0", "", "2 2", "9" * 25, "\u00b2")
        ),
    ]


def _codings() -> list[Case]:
    return [
        *(
            Case(f"A3 coding {coding!r}", post(f"transfer-encoding: {coding}", body=b"0\r\n\r\n" + ADMIN))
            for coding in (
                "xchunked",
                "gzip, chunked",
                "chunked, gzip",
                "chunked, chunked",
                "identity",
                "chunked;q=1",
                "\x0bchunked",
                "",
            )
        ),
        Case(
            "A3 two codings", post("transfer-encoding: chunked", "transfer-encoding: gzip", body=b"0\r\n\r\n" + ADMIN)
        ),
        *(
            Case(f"A4 {name}", post("transfer-encoding: chunked", body=body + ADMIN), frozenset({400, 401}))
            for name, body in {
                "chunk without its end": b"2\r\n{}XX0\r\n\r\n",
                "line feed in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
                "negative chunk": b"-2\r\n{}\r\n0\r\n\r\n",
                "chunk size 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
                "endless chunk size": b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
                "chunk ended by a line feed": b"2\n{}\n0\n\n",
            }.items()
        ),
    ]


def _heads() -> list[Case]:
    return [
        Case("A5 bare line feeds", b"POST /x HTTP/1.1\nhost: x\ncontent-length: 0\n\n" + ADMIN),
        Case("A5 folded header", get("/livez", "x: a", " b")),
        Case("A5 NUL in a header", get("/livez", "x: a\0b")),
        Case("A5 CR in a header", get("/livez", "x: a\rb")),
        Case("A5 space before the colon", post("content-length : 2", body=b"{}")),
        Case("A5 header without a colon", get("/livez", "nonsense")),
        Case("A5 header without a name", get("/livez", ": a")),
        Case("A6 two Hosts", get("/livez", "host: y")),
        Case("A6 no Host", get("/livez", host="")),
        *(
            Case(f"A6 Host {host!r}", get("/livez", host=f"host: {host}"))
            for host in ("", "a b", "a/x", "u@a", "a:x", "a,b")
        ),
        Case("A21 Host with a path", get("/admin/config", host="host: x/health?")),
        Case("A9 a header of 1 MB", get("/livez", "x: " + "a" * 1_000_000), frozenset({431})),
        Case("A9 10000 headers", get("/livez", *(f"x-{n}: 1" for n in range(10_000))), frozenset({431})),
        Case("A10 a target of 70 kB", get("/livez?" + "a" * 70_000), frozenset({414, 431})),
    ]


def _targets() -> list[Case]:
    nowhere = frozenset({400, 401, 404})
    return [
        Case("A7 absolute form", get("http://x/admin/config")),
        Case("A7 authority in the path", get("/@evil.example/"), nowhere),
        Case("A7 no slash first", get("@evil.example/admin/config")),
        Case("A7 two slashes first", get("//evil.example/admin/config")),
        Case("A7 asterisk", get("*", method="OPTIONS")),
        *(
            Case(f"A8 {target}", get(target), nowhere)
            for target in (
                "/v1/../admin/config",
                "/v1/%2e%2e/admin/config",
                "/v1/..%2fadmin/config",
                "/v1/%252e%252e/admin/config",
                "/v1/..;/admin/config",
                "/v1/x;/../admin/config",
                "/v1/..\\admin\\config",
                "/v1/%5c..%5cadmin/config",
                "/%61dmin/config",
                "/v1/models%00/admin/config",
            )
        ),
    ]


def _methods() -> list[Case]:
    other = frozenset({400, 401, 404, 405, 426})
    return [
        *(Case(f"A18 {method}", get(PATH, method=method), other) for method in ("TRACE", "PUT", "DELETE", "PATCH")),
        Case("A18 CONNECT", get("evil.example:443", method="CONNECT")),
        Case("A18 no method at all", get("/livez", method="NONSENSE")),
        Case(
            "A19 upgrade to h2c with a body",
            post("connection: upgrade", "upgrade: h2c", "content-length: 2", body=b"{}" + ADMIN),
        ),
        Case("A19 HTTP/2 by prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Case("A27 WebSocket", get(PATH, "connection: upgrade", "upgrade: websocket"), other),
        Case("A28 HTTP/0.9", b"GET /livez\r\n", frozenset({400})),
        Case("A28 HTTP/1.0 without a Host", get("/livez", host="", version="1.0")),
        Case("A28 a version that is none", get("/livez", version="9.9")),
    ]


REFUSED = [*_lengths(), *_codings(), *_heads(), *_targets(), *_methods()]

ORDINARY = [
    Case("A19 upgrade without a body", get("/livez", "connection: upgrade", "upgrade: h2c"), frozenset({200})),
    Case("A20 Connection names other headers", get("/livez", "connection: host, x"), frozenset({200})),
    Case("A22 forwarded headers", get("/livez", "x-forwarded-host: evil", "x-forwarded-for: ::1"), frozenset({200})),
    Case("A23 names with an underscore", get("/livez", "content_length: 5", "x_api_key: a"), frozenset({200})),
    Case("A28 HTTP/1.0", get("/livez", version="1.0"), frozenset({200})),
]
"""Strange, and harmless: answered as if they were not strange."""
