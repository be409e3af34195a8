"""A file → a checked configuration with its secrets in place, or every reason why not."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from ..errors import Problem
from .check import check, one_per_path
from .checks.draft import Draft
from .checks.listeners import missing_files
from .checks.state import holds_a_secret
from .decode import Decoded, decode
from .dialects import Translation, translate
from .findings import Finding, Path
from .refused import refused
from .scalars import FilePath
from .schema import Config
from .secrets import FollowReferences, LeaveSecrets, Resolver
from .yaml_nodes import file_content, read, read_file

T = TypeVar("T", bound=Struct)


@dataclass(frozen=True, slots=True)
class Loaded:
    """``warnings`` are weaknesses that only a loopback router may have, and what a translation has to say; ``digest``
    is the SHA-256 of the text."""

    config: Config
    warnings: tuple[Problem, ...]
    path: str
    digest: str

    @property
    def api_keys_file(self) -> pathlib.Path | None:
        return self._beside(self.config.access.api_keys_file)

    @property
    def admin_keys_file(self) -> pathlib.Path | None:
        return self._beside(self.config.admin.keys_file)

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        """What a router is made from and may change under it: the configuration, the files of keys, the CAs and client
        certificates of clusters, and the key files of accounts."""
        own = (pathlib.Path(self.path),) if self.path else ()
        keys = (file for file in (self.api_keys_file, self.admin_keys_file) if file is not None)
        return *own, *keys, *dict.fromkeys(map(pathlib.Path, (*self._certificates(), *self._accounts())))

    def _beside(self, file: FilePath | None) -> pathlib.Path | None:
        """Relative ones are counted from the folder of the configuration."""
        return None if file is None else pathlib.Path(self.path).parent / file

    def _certificates(self) -> Iterator[str]:
        for cluster in (*self.config.clusters, self.config.discovery.template):
            if (tls := cluster.tls) is not None:
                yield from (file for file in (tls.ca_file, tls.cert_file, tls.key_file) if file is not None)

    def _accounts(self) -> Iterator[str]:
        for provider in self.config.external_providers:
            if provider.enabled and provider.credentials_file is not None:
                yield provider.credentials_file


def load(path: str, env: Mapping[str, str] = os.environ) -> Loaded:
    """Every ``Secret`` of the result holds its value.

    Raises ``ConfigError`` with all problems, ordered by line; as text each is ``file:line: path: what to do``.
    """
    return parse(file_content(path), path, env)


def parse(text: str | bytes, file: str = "config.yaml", env: Mapping[str, str] = os.environ) -> Loaded:
    """As ``load``, for a text; relative paths in it count from ``file``'s directory."""
    document = read(text, file)
    judged = judge(translate(document, resolver := references(file, env)), resolver)
    problems = one_per_path([*judged.problems, *judged.awaited, *judged.refusals])
    if judged.config is None or problems:
        raise refused(document, problems)
    warnings = tuple(document.problem(*finding) for finding in judged.warnings)
    content = text.encode() if isinstance(text, str) else text
    return Loaded(judged.config, warnings, file, hashlib.sha256(content).hexdigest())


def load_for_reckoning(path: str, env: Mapping[str, str] = os.environ) -> Loaded:
    """As ``load``, for commands that send nothing and listen nowhere: secrets stay the references that they are, and
    nothing is said about them, so that a configuration can be reckoned with where its secrets are not."""
    document = read(file_content(path), path)
    resolver = LeaveSecrets(env, os.path.dirname(os.path.abspath(path)))
    judged = judge(translate(document, resolver), resolver)
    secrets = set(judged.literals)
    refusals = [finding for finding in judged.refusals if finding.path not in secrets]
    problems = one_per_path([*judged.problems, *judged.awaited, *refusals])
    if judged.config is None or problems:
        raise refused(document, problems)
    return Loaded(judged.config, (), path, "")


@dataclass(frozen=True, slots=True)
class Judged:
    """All that is to be said about a file, by its own paths.

    ``config`` is ``None`` where ``problems`` or ``awaited`` (references without a value) left none to be made;
    ``refusals`` are what makes no sense in it. ``literals`` are the places of secrets that stand in the file itself.
    """

    config: Config | None
    problems: Sequence[Finding]
    awaited: Sequence[Finding]
    refusals: Sequence[Finding] = ()
    warnings: Sequence[Finding] = ()
    literals: Sequence[Path] = ()


def judge(translation: Translation, resolver: Resolver) -> Judged:
    """All that ``parse`` refuses, and all that it only warns of."""
    decoded, where = decode(translation.data, Config, resolver), translation.locate
    problems = [*translation.problems, *where(decoded.problems)]
    if decoded.value is None:
        return Judged(None, problems, where(decoded.awaited))
    verdict = check(Draft(decoded.value, decoded.secrets, decoded.files))
    # One word about each value: what awaits its value is not called empty as well.
    told = {finding.path for finding in (*decoded.problems, *decoded.awaited)}
    literals = (Finding(use.path, "") for use in decoded.secrets if use.origin == "literal" and holds_a_secret(use))
    return Judged(
        decoded.value,
        problems,
        where(_still_awaited(decoded, decoded.value)),
        where(finding for finding in verdict.problems if finding.path not in told),
        [*translation.warnings, *where(verdict.warnings)],
        [path for path, _ in where(literals)],
    )


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
    decoded = decode(document.data, struct, references(path, env))
    problems = [*decoded.problems, *decoded.awaited, *missing_files(decoded.files)]
    if decoded.value is not None:
        problems += check(decoded.value)
    if decoded.value is None or problems:
        raise refused(document, one_per_path(problems))
    return decoded.value


def references(file: str, env: Mapping[str, str]) -> FollowReferences:
    """How references in ``file`` are followed."""
    return FollowReferences(env, os.path.dirname(os.path.abspath(file)))


def _still_awaited(decoded: Decoded[Config], config: Config) -> Iterable[Finding]:
    """References without a value, but for those of disabled providers: nobody will use them."""
    disabled = {i for i, p in enumerate(config.external_providers) if not p.enabled}
    return (f for f in decoded.awaited if not (f.path[0] == "externalProviders" and f.path[1] in disabled))
