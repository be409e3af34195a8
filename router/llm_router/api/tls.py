"""TLS of a listener: mutual where client CAs are given, renewed without a restart."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from typing import Any

from ..config.file_version import file_version
from ..config.schema import ServerTls
from ..errors import ConfigError, Problem
from .signed_config import ListenerTls

LOOK_INTERVAL_S = 5.0

logger = logging.getLogger("llm_router.tls")


class RenewedTls:
    """Serves each handshake with what the files hold now, all of them together: certificate, key and client CAs.

    ``context`` is the listener's. Files that are broken, or only half written, are left until they change again, a
    certificate out of its time is looked at again until its time has come; open connections go on with what they began
    with. ``clock`` is monotonic. Raises ``ConfigError`` naming ``section`` where
    the files do not make a working context at the start, or one that no client would trust now.
    """

    def __init__(self, files: ServerTls, *, section: str = "tls", clock: Callable[[], float] = time.monotonic) -> None:
        self._files, self._clock = files, clock
        self._client_ca = files.client_ca_file if isinstance(files, ListenerTls) else None
        self._client_names = frozenset(files.client_names) if isinstance(files, ListenerTls) else frozenset()
        self._paths = [files.cert_file, files.key_file, *([self._client_ca] if self._client_ca else [])]
        self._version, self._looked_at = file_version(self._paths), clock()
        self._untimely = self._version
        try:
            self.context, self._current = self._load(), self._load()
        except (OSError, ValueError) as error:
            raise ConfigError([Problem(section, f"the certificates cannot be used: {error}")]) from error
        self.context.sni_callback = self._choose

    def admits(self, connection: ssl.SSLObject) -> bool:
        """Whether the client of a finished handshake may speak. A resumed session is not: OpenSSL does not look at its
        certificate again, so it would outlive the CA that it was trusted by."""
        if self._client_ca is None:
            return True
        if connection.session_reused:
            return False
        return not self._client_names or bool(self._client_names & _names(connection.getpeercert() or {}))

    def _choose(self, connection: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext) -> None:
        """Called by OpenSSL in every handshake, with or without a name. Certificates cannot be taken out of a context,
        so each handshake gets the current one."""
        if self._clock() - self._looked_at >= LOOK_INTERVAL_S:
            self._look()
        connection.context = self._current

    def _look(self) -> None:
        self._looked_at = self._clock()
        version = file_version(self._paths)
        if version is None or version == self._version:
            return
        try:
            self._current = self._load()
        except _OutOfItsTime as error:
            if version != self._untimely:
                logger.warning("renewed certificates cannot be used now, the old ones stay: %s", error)
            self._untimely = version
            return
        except (OSError, ValueError) as error:
            logger.warning("renewed certificates cannot be used, the old ones stay: %s", error)
        else:
            logger.info("renewed certificates are in use")
        self._version = version

    def _load(self) -> ssl.SSLContext:
        if self._client_ca is None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        else:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            context.num_tickets = 0
            context.options |= ssl.OP_NO_TICKET
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._files.cert_file, self._files.key_file)
        _check_dates(context, self._files.cert_file)
        return context


_OUT_OF_DATE = {9: "is not valid yet", 10: "has expired"}
"""OpenSSL's codes for what is wrong with a certificate's time."""


class _OutOfItsTime(ValueError):
    """Nothing else is wrong with the files."""


def _check_dates(context: ssl.SSLContext, cert_file: str) -> None:
    """Raises ``_OutOfItsTime`` for a certificate that no client would take now. Only a handshake tells its dates: one
    with a client that trusts this certificate, whoever signed it."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.load_verify_locations(cert_file)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    asked, answered = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = trusting.wrap_bio(answered, asked), context.wrap_bio(asked, answered, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _OUT_OF_DATE:
                raise _OutOfItsTime(f"{cert_file} {_OUT_OF_DATE[error.verify_code]}") from error
        except ssl.SSLError:
            pass  # it waits for the other side, or objects to something that is not about dates


def _names(certificate: dict[str, Any]) -> set[str]:
    """Host names and URIs, as of SPIFFE, that a verified certificate is for."""
    return {name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "URI")}
