"""References in a configuration: ``${ENV}`` anywhere, ``file:/path`` and ``secret:NAME`` for secrets; weak secrets."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from .findings import quote
from .scalars import FilePath, Secret

MAX_SECRET_BYTES = 64 * 1024
MIN_SECRET_LENGTH = 16
MIN_HMAC_BYTES = 32
SECRETS_DIR_VARIABLE = "LLM_ROUTER_SECRETS_DIR"
DEFAULT_SECRETS_DIR = "/run/secrets"

ENV_REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"
SECRET_REFERENCE = r"(?:file:.+|secret:[A-Za-z0-9][A-Za-z0-9._-]*)"  # noqa: S105

Origin = Literal["environment", "file", "literal"]


class BadReference(Exception):
    """A reference that can not be followed; the message says why and what to do, never a secret's value.

    ``awaits_value`` is true where the reference is well formed and only its variable or file is missing.
    """

    def __init__(self, message: str, *, awaits_value: bool = False) -> None:
        super().__init__(message)
        self.awaits_value = awaits_value


class ResolvedSecret(NamedTuple):
    value: Secret
    origin: Origin


class Resolver(Protocol):
    """What the decoder does with references. Every method raises ``BadReference``."""

    def text(self, text: str) -> str: ...

    def secret(self, text: str) -> ResolvedSecret: ...

    def path(self, text: str) -> FilePath: ...


class FollowReferences:
    """Replaces references by their values. ``directory`` is what relative paths count from."""

    def __init__(self, env: Mapping[str, str], directory: str) -> None:
        self._env = env
        self._directory = directory

    def text(self, text: str) -> str:
        return re.sub(r"\$\{([^}]*)(\}?)", self._variable, text)

    def secret(self, text: str) -> ResolvedSecret:
        if text.startswith("file:"):
            return ResolvedSecret(_read_secret(self.path(text.removeprefix("file:"))), "file")
        if text.startswith("secret:"):
            name = text.removeprefix("secret:")
            if not re.fullmatch(SECRET_REFERENCE, text):
                raise BadReference(f"{quote(name)} is no secret's name: letters, digits, dots, hyphens and underscores")
            folder = self._env.get(SECRETS_DIR_VARIABLE) or DEFAULT_SECRETS_DIR
            return ResolvedSecret(_read_secret(os.path.join(folder, name)), "file")
        value = self.text(text)
        _refuse_control_characters(value, "the secret")
        return ResolvedSecret(Secret(value), "literal" if value == text else "environment")

    def path(self, text: str) -> FilePath:
        return FilePath(os.path.abspath(os.path.join(self._directory, self.text(text))))

    def _variable(self, found: re.Match[str]) -> str:
        if not re.fullmatch(ENV_REFERENCE, found[0]):
            raise BadReference(
                f"{quote(found[0])} is no reference: write ${{NAME}} with letters, digits and underscores only"
            )
        value = self._env.get(found[1])
        if not value:
            state = "is not set" if value is None else "is empty"
            raise BadReference(f"the environment variable {found[1]} {state}: set it", awaits_value=True)
        return value


class LeaveSecrets(FollowReferences):
    """Follows all references but those of secrets, which nobody needs."""

    def secret(self, text: str) -> ResolvedSecret:
        return ResolvedSecret(Secret(text), "literal")


class KeepReferences:
    """Leaves secrets as the references that they are, and refuses to be handed anything else."""

    def text(self, text: str) -> str:
        if "${" in text:
            raise BadReference("a reference has a place in a fragment only where a secret is expected: write the value")
        return text

    def secret(self, text: str) -> ResolvedSecret:
        if not re.fullmatch(f"{ENV_REFERENCE}|{SECRET_REFERENCE}", text):
            raise BadReference("a fragment carries references, never secrets: write ${NAME}, file:/path or secret:NAME")
        return ResolvedSecret(Secret(text), "environment")

    def path(self, text: str) -> FilePath:
        return FilePath(self.text(text))


def _read_secret(path: str) -> Secret:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise BadReference(f"the secret's file {path} can not be read: {reason}", awaits_value=True) from None
    except ValueError:
        raise BadReference(f"{quote(path)} is no file's path") from None
    if len(content) > MAX_SECRET_BYTES:
        raise BadReference(f"the secret's file {path} is larger than {MAX_SECRET_BYTES // 1024} KiB")
    try:
        value = re.sub(r"\r?\n\Z", "", content.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadReference(f"the secret's file {path} is not text in UTF-8") from None
    if not value:
        raise BadReference(f"the secret's file {path} is empty", awaits_value=True)
    _refuse_control_characters(value, f"the secret's file {path}")
    return Secret(value)


def _refuse_control_characters(value: str, what: str) -> None:
    # A line break in a key would end the header that carries it.
    if not value.isprintable():
        raise BadReference(f"{what} holds a line break or another control character: it must be one line of text")


# ---------------------------------------------------------------- weak secrets

# Whole words, once hyphens, underscores and spaces are out.
_PLACEHOLDER = re.compile(
    r"admin|changeit|changeme|default|demo|demo123|dummy|example|fake|foobar|hunter2|key|letmein|none|notset|password"
    r"|placeholder|qwerty|sample|secret|sharedsecret|tbd|test|testing|todo|token|undefined|unset"
)
_PLACEHOLDER_SHAPE = re.compile(
    r"your[-_ ].*|my[-_ ].*|<.*>|\[.*\]|x{4,}.*|.*(?:change|replace)[-_ ]?(?:me|this|it)\b.*|.*[-_ ]goes[-_ ]here"
    r"|.*insert[-_ ].*here.*|(?:sk-)?(?:\.{3}|…|x{3,}|\*{3,}).*|(.)\1{5,}",
    re.IGNORECASE,
)


def weakness(value: str, origin: Origin) -> str | None:
    """Why nobody should rely on a secret, and what to do; ``None`` for one that looks sound."""
    plain = re.sub(r"[-_ ]", "", value).casefold()
    if _PLACEHOLDER.fullmatch(plain) or _PLACEHOLDER_SHAPE.fullmatch(value):
        return "this is a placeholder, not a secret: put the real one into a variable or file and refer to it"
    if origin == "literal":
        return "a secret stands in the file: write ${NAME}, file:/path or secret:NAME instead"
    if len(value) < MIN_SECRET_LENGTH:
        return f"shorter than {MIN_SECRET_LENGTH} characters: too easy to guess"
    return None


def hmac_key(secret: str) -> bytes:
    """The bytes that a shared secret stands for: standard base64 with padding, at least 32 bytes once decoded, and not
    all of them the same.

    Raises ``ValueError`` with a message that is safe to show.
    """
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64 with padding: make one with openssl rand -base64 32") from None
    if len(key) < MIN_HMAC_BYTES:
        raise ValueError(f"{len(key)} bytes, {MIN_HMAC_BYTES} are needed: make one with openssl rand -base64 32")
    if len(set(key)) == 1:
        raise ValueError("not random: make one with openssl rand -base64 32")
    return key
