"""What a signed listener is configured with, the gate's or the exporter's: its keys, its name, its TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from ..config.scalars import FilePath, KeyId, Secret, Text
from ..config.schema import Base, ServerTls
from ..config.secrets import weakness
from ..errors import Problem
from ..upstream.signing import authority_of, decode_secret


class ListenerTls(ServerTls):
    client_ca_file: Annotated[FilePath | None, "Who may connect: clients with a certificate of these CAs, in PEM."] = (
        None
    )
    client_names: Annotated[
        tuple[Text, ...], "Which of them: one of these must be a DNS name or URI of the client's certificate."
    ] = ()


class SigningKey(Base):
    id: Annotated[KeyId, "What signatures name it by; by custom the target's name, a dot and a number."]
    secret: Annotated[Secret, "Base64 of at least 32 random bytes: openssl rand -base64 32."]


def key_bytes(keys: Sequence[SigningKey]) -> Mapping[str, bytes]:
    """The HMAC keys by id. Raises ``ValueError`` where ``key_problems`` finds one."""
    return {key.id: decode_secret(key.secret) for key in keys}


def key_problems(keys: Sequence[SigningKey], section: str = "") -> Iterator[Problem]:
    """``section`` is where ``keys`` stands, with a dot."""
    ids: dict[str, int] = {}
    secrets: dict[bytes, int] = {}
    for index, key in enumerate(keys):
        path = f"{section}keys[{index}]"
        if ids.setdefault(key.id, index) != index:
            yield Problem(f"{path}.id", f"{section}keys[{ids[key.id]}] has the same id: give each key its own")
        weak = weakness(key.secret, "environment")
        try:
            secret = decode_secret(key.secret)
        except ValueError as error:
            yield Problem(f"{path}.secret", weak or str(error))
            continue
        if weak:
            yield Problem(f"{path}.secret", weak)
        if secrets.setdefault(secret, index) != index:
            message = f"{section}keys[{secrets[secret]}] has the same secret: a new key needs a new one"
            yield Problem(f"{path}.secret", message)


def tls_problems(tls: ListenerTls | None, section: str = "") -> Iterator[Problem]:
    if tls is not None and tls.client_names and tls.client_ca_file is None:
        yield Problem(f"{section}tls.clientNames", "has no meaning without clientCaFile: say whose certificates count")


def authority_problems(authority: str, section: str = "") -> Iterator[Problem]:
    try:
        plain = authority_of(f"https://{authority}")
    except ValueError:
        plain = ""
    if plain != authority:
        known = plain if plain and "/" not in authority else "the endpoint's host, its port if not 80 or 443"
        yield Problem(f"{section}authority", f"must be what the router signs, in lower case: {known}")
