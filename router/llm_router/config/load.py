"""A file → a checked configuration with its secrets in place, or every reason why not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from ..errors import ConfigError, Problem
from .check import check, one_per_path
from .checks.draft import Draft
from .checks.listeners import missing_files
from .decode import Decoded, decode
from .findings import Finding
from .schema import Config
from .secrets import FollowReferences
from .yaml_nodes import Document, file_content, read, read_file

T = TypeVar("T", bound=Struct)

MAX_PROBLEMS = 100
OTHER_DIALECTS = {
    "inter_cluster_routing": "vLLM semantic-router's",
    "ai_gateway": "Loom's",
    "model_list": "LiteLLM's",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """``warnings`` are weaknesses that only a loopback router may have; ``digest`` is the SHA-256 of the text."""

    config: Config
    warnings: tuple[Problem, ...]
    path: str
    digest: str


def load(path: str, env: Mapping[str, str] = os.environ) -> Loaded:
    """Every ``Secret`` of the result holds its value.

    Raises ``ConfigError`` with all problems, ordered by line; as text each is ``file:line: path: what to do``.
    """
    return parse(file_content(path), path, env)


def parse(text: str | bytes, file: str = "config.yaml", env: Mapping[str, str] = os.environ) -> Loaded:
    """As ``load``, for a text; relative paths in it count from ``file``'s directory."""
    document = read(text, file)
    _refuse_other_dialects(document)
    decoded = decode(document.data, Config, _resolver(file, env))
    if decoded.value is None:
        raise _refused(document, [*decoded.problems, *decoded.awaited])
    verdict = check(Draft(decoded.value, decoded.secrets, decoded.files))
    problems = one_per_path([*decoded.problems, *_still_awaited(decoded, decoded.value), *verdict.problems])
    if problems:
        raise _refused(document, problems)
    warnings = tuple(document.problem(*finding) for finding in verdict.warnings)
    content = text.encode() if isinstance(text, str) else text
    return Loaded(decoded.value, warnings, file, hashlib.sha256(content).hexdigest())


def load_struct(
    path: str,
    struct: type[T],
    env: Mapping[str, str] = os.environ,
    check: Callable[[T], Iterable[Finding]] = lambda _: (),
) -> T:
    """A file of another kind (the gate's, the exporter's, the API keys): decoded, references followed, files there.

    ``check`` finds what the types alone do not catch. Raises ``ConfigError`` with all problems.
    """
    document = read_file(path)
    decoded = decode(document.data, struct, _resolver(path, env))
    problems = [*decoded.problems, *decoded.awaited, *missing_files(decoded.files)]
    if decoded.value is not None:
        problems += check(decoded.value)
    if decoded.value is None or problems:
        raise _refused(document, one_per_path(problems))
    return decoded.value


def _resolver(file: str, env: Mapping[str, str]) -> FollowReferences:
    return FollowReferences(env, os.path.dirname(os.path.abspath(file)))


def _refuse_other_dialects(document: Document) -> None:
    for key, whose in OTHER_DIALECTS.items():
        if key in document.data:
            message = f"loading {whose} configuration is not yet available: write it with the keys of llm-router schema"
            raise ConfigError([document.problem((key,), message)])


def _still_awaited(decoded: Decoded[Config], config: Config) -> Iterable[Finding]:
    """References without a value, but for those of disabled providers: nobody will use them."""
    disabled = {i for i, p in enumerate(config.external_providers) if not p.enabled}
    return (f for f in decoded.awaited if not (f.path[0] == "externalProviders" and f.path[1] in disabled))


def _refused(document: Document, findings: Iterable[Finding]) -> ConfigError:
    problems = sorted((document.problem(*f) for f in findings), key=lambda p: p.line)
    if len(problems) > MAX_PROBLEMS:
        more = Problem("", f"and {len(problems) - MAX_PROBLEMS} more problems", 0, document.file)
        problems = [*problems[:MAX_PROBLEMS], more]
    return ConfigError(problems)
