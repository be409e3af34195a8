"""Who can reach the router, and the files that it needs to be reached."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from ..decode import FileUse
from ..findings import Finding
from ..hosts import is_loopback, parse_address
from ..password_hash import parse_password_hash
from .draft import Draft


def public_needs_keys(draft: Draft) -> Iterator[Finding]:
    if not is_loopback(draft.config.server.host) and draft.config.access.api_keys_file is None:
        yield Finding(
            ("server", "host"),
            "without API keys the router serves loopback only: use 127.0.0.1, or make keys with llm-router keys create "
            "and name their file in access.apiKeysFile",
        )


def admin_is_protected(draft: Draft) -> Iterator[Finding]:
    admin = draft.config.admin
    if not is_loopback(admin.host) and (admin.password_hash is None or admin.tls is None):
        yield Finding(
            ("admin", "host"),
            "without a password and TLS the admin listener serves loopback only: use 127.0.0.1 and port forwarding, or "
            "give admin.passwordHash (llm-router keys password) and admin.tls",
        )
    if admin.keys_file is not None and admin.password_hash is None:
        yield Finding(
            ("admin", "keysFile"), "without admin.passwordHash nobody is asked for a key: give that, or leave this out"
        )


def admin_password_is_a_hash(draft: Draft) -> Iterator[Finding]:
    written = draft.config.admin.password_hash
    try:
        if written is not None:
            parse_password_hash(written)
    except ValueError as error:
        yield Finding(("admin", "passwordHash"), str(error))


def ports_differ(draft: Draft) -> Iterator[Finding]:
    server, admin = draft.config.server, draft.config.admin
    if server.port == admin.port != 0:
        yield Finding(("admin", "port"), f"{admin.port} is the public listener's port too: choose another")


def metrics_address(draft: Draft) -> Iterator[Finding]:
    address = draft.config.admin.metrics
    if unasked := unasked_token(address, draft.config.admin.metrics_token):
        yield Finding(("admin", "metricsToken"), unasked)
    try:
        port = None if address is None else parse_address(address)[1]
    except ValueError as error:
        yield Finding(("admin", "metrics"), str(error))
        return
    for taken in ("server", "admin"):
        if port and port == getattr(draft.config, taken).port:
            yield Finding(("admin", "metrics"), f"{port} is {taken}.port, too: choose another")


def unasked_token(metrics: str | None, token: str | None) -> str | None:
    """What is wrong with a token that protects nothing: somebody relies on it."""
    return "there is no listener that asks for it: give metrics, too" if token and metrics is None else None


def workers_keep_what_they_count(draft: Draft) -> Iterator[Finding]:
    """A remark: it is of no harm to a small router, and no surprise once it was said."""
    config = draft.config
    if config.server.workers > 1 and config.ledger.url is None:
        yield Finding(
            ("server", "workers"),
            "each has its own ledger in memory, and one that dies takes its records along: say in ledger.url where "
            "they are kept",
        )


def workers_share_limits(draft: Draft) -> Iterator[Finding]:
    """Another remark. Whether keys have limits stands in their own file."""
    config = draft.config
    limits = [(cluster.rate_limit, cluster.budget) for cluster in config.clusters]
    limits += [(provider.rate_limit, provider.budget) for provider in config.external_providers if provider.enabled]
    limited = config.access.api_keys_file is not None or any(rates or budget for rates, budget in limits)
    if config.server.workers > 1 and config.state.backend == "memory" and limited:
        yield Finding(
            ("state", "backend"),
            f"each of {config.server.workers} workers keeps to its part of every limit: with redis they share them",
        )


def workers_share_pools(draft: Draft) -> Iterator[Finding]:
    """One more: nodes are rented for the load that one process sees."""
    for i, cluster in draft.clusters():
        if draft.config.server.workers > 1 and cluster.scaling.min_nodes < cluster.scaling.max_nodes:
            yield Finding(
                ("clusters", i, "scaling", "minNodes"),
                f"each of {draft.config.server.workers} workers wants nodes for its part of the load alone, and what "
                "the one that wants most wants is what counts: a single worker judges better what pays",
            )


def keys_are_only_the_operators(draft: Draft) -> Iterator[Finding]:
    """Who may write there lets himself in."""
    config = draft.config
    for path, file in (
        (("access", "apiKeysFile"), config.access.api_keys_file),
        (("admin", "keysFile"), config.admin.keys_file),
    ):
        if file is not None and os.path.isfile(file) and os.stat(file).st_mode & stat.S_IWOTH:
            yield Finding(path, f"every user of this machine may change it: chmod o-w {file}")


def files_exist(draft: Draft) -> Iterator[Finding]:
    disabled = {("externalProviders", i) for i, p in enumerate(draft.config.external_providers) if not p.enabled}
    return missing_files(use for use in draft.files if use.path[:2] not in disabled)


def missing_files(files: Iterable[FileUse]) -> Iterator[Finding]:
    for path, file in files:
        if not os.path.isfile(file):
            yield Finding(path, f"there is no file {file}")
        elif not os.access(file, os.R_OK):
            yield Finding(path, f"the file {file} may not be read by this user")
