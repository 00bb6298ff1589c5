"""One HTTPS exchange with a nexo terminal on the shop's own network.

card-terminals.md 7.1: the certificate must come from the terminal maker's fleet root and
carry this terminal's name, and that is checked before the first byte is sent. Knows no
message's meaning, and never sends one twice.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

CONNECT_SECONDS = 5.0
# What is not acknowledged for so long is not sent any more, also when the lane's process
# is dead: a request can reach the terminal no later than this after it was given up.
UNACKNOWLEDGED_MS = 10_000
MOST_BYTES = 1 << 20
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 10),
    (socket.TCP_KEEPINTVL, 5),
    (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS),
)
_NAME = re.compile(
    r"([a-zA-Z0-9]{3,}-[a-zA-Z0-9]{9,15})\.(test|live)\.terminal\.adyen\.com"
)
_LEGACY = "legacy-terminal-certificate.{}.terminal.adyen.com"


class NothingSent(OSError):
    """Not one byte of the request reached the wire."""


class WrongTerminal(NothingSent):
    """Whoever answers there cannot prove to be the terminal of this lane."""


class Refused(OSError):
    """The terminal refused the request before it read it: an HTTP status 4xx."""


class Address(msgspec.Struct, frozen=True):
    """Where a terminal is, and how it proves to be the one.

    `environment`: `live` or `test`, as in its certificate.
    """

    host: str
    poi_id: str
    root_certificate: Path
    environment: str = "live"
    port: int = 8443


class HttpsLink:
    """Asks one terminal, a connection a request. Any thread may ask."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def ask(
        self, request: bytes, seconds: float, on_sent: Callable[[], None] | None = None
    ) -> bytes:
        """Return the body of the answer. Waits `seconds` at most.

        Raises `NothingSent`, `Refused`, or another OSError: the request may have come
        to the terminal, and what came of it is not known.
        """
        link = self._connect()
        # A peer that trickles bytes keeps no reader beyond this.
        watch = threading.Timer(seconds, _abandon, (link,))
        watch.daemon = True
        watch.start()
        try:
            return self._exchange(link, request, seconds, on_sent)
        except http.client.HTTPException as error:
            # Its words repeat what came, and nobody has looked at that yet.
            raise ConnectionError(f"no HTTP answer: {type(error).__name__}") from None
        except ValueError:
            # A connection that the watch took away while it was read.
            raise TimeoutError("no whole answer in time") from None
        finally:
            watch.cancel()
            _abandon(link)
            link.close()

    def _exchange(
        self,
        link: http.client.HTTPSConnection,
        request: bytes,
        seconds: float,
        on_sent: Callable[[], None] | None,
    ) -> bytes:
        link.sock.settimeout(seconds)
        link.request(
            "POST", "/nexo", body=request, headers={"Content-Type": "application/json"}
        )
        if on_sent is not None:
            on_sent()
        until = time.monotonic() + seconds
        with link.getresponse() as answer:
            body = answer.read(MOST_BYTES + 1)
        if time.monotonic() > until:
            raise TimeoutError("no whole answer in time")
        if 400 <= answer.status < 500:
            raise Refused(f"HTTP status {answer.status}")
        if answer.status != 200:
            raise ConnectionError(f"HTTP status {answer.status}")
        if len(body) > MOST_BYTES:
            raise ConnectionError("an answer without end")
        return body

    def _connect(self) -> http.client.HTTPSConnection:
        address = self._address
        try:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # Its name is no host's: it is looked at below.
            trust.check_hostname = False
            trust.verify_mode = ssl.CERT_REQUIRED
            trust.load_verify_locations(address.root_certificate)
            link = http.client.HTTPSConnection(
                address.host, address.port, timeout=CONNECT_SECONDS, context=trust
            )
            link.connect()
        except ssl.SSLCertVerificationError as error:
            raise WrongTerminal(
                f"its certificate is not of the terminals' root: {error.verify_message}"
            ) from error
        except OSError as error:
            raise NothingSent(str(error) or type(error).__name__) from error
        try:
            link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                link.sock.setsockopt(socket.IPPROTO_TCP, option, value)
            self._check_name(link.sock)
        except OSError as error:
            link.close()
            raise (
                error if isinstance(error, NothingSent) else NothingSent(str(error))
            ) from error
        return link

    def _check_name(self, connection: socket.socket) -> None:
        """Raise `WrongTerminal` unless the certificate is this terminal's."""
        assert isinstance(connection, ssl.SSLSocket)
        told = connection.getpeercert() or {}
        name = _common_name(told.get("subject", ()))
        environment = self._address.environment
        if name == _LEGACY.format(environment):
            return
        found = _NAME.fullmatch(name)
        if found is None or found[2] != environment:
            raise WrongTerminal(
                f"its certificate names {name!r}, which is no {environment} terminal"
            )
        if found[1] != self._address.poi_id:
            raise WrongTerminal(
                f"terminal {found[1]} answers, and {self._address.poi_id} is"
                " expected here"
            )


def _common_name(subject: object) -> str:
    """Return the name in a certificate's subject, as `getpeercert` has it."""
    parts = subject if isinstance(subject, tuple) else ()
    for part in parts:
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""


def _abandon(link: http.client.HTTPSConnection) -> None:
    """Break a connection at once: what the terminal has not got yet, it will not get."""
    if link.sock is None:
        return
    try:
        link.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        link.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It is gone already, which is what is wanted.
        return
