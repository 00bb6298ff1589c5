"""The server's side of one HTTPS connection, without a socket: bytes in, bytes out.

Of HTTP it knows what a card terminal is asked: POST with a length. One request after
another; whatever else comes is `NotHttp`. Simulators use it; it is no web server.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

_MOST_BYTES = 1 << 20
_HEAD_END = b"\r\n\r\n"
_REASONS = {200: "OK", 400: "Bad Request", 500: "Internal Server Error"}


class NotHttp(Exception):
    """What came is no request that is answered here."""


class HttpsEnd:
    """One connection: what the peer's bytes ask, and what is sent to it."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._in, self._out, server_side=True)
        self._is_open = False
        self._clear = b""

    def hear(self, received: bytes) -> tuple[list[bytes], bytes]:
        """Take the peer's bytes; return bodies of whole requests and what to send."""
        self._in.write(received)
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
            while chunk := self._tls.read(65536):
                self._clear += chunk
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise NotHttp(str(error)) from error
        return self._requests(), self._out.read()

    def answer(self, status: int, body: bytes) -> bytes:
        """Return the bytes that answer a request."""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._tls.write(head.encode() + body)
        return self._out.read()

    def _requests(self) -> list[bytes]:
        bodies = []
        while _HEAD_END in self._clear:
            head, _, rest = self._clear.partition(_HEAD_END)
            lines = head.decode("latin-1").split("\r\n")
            fields = dict(line.lower().partition(":")[::2] for line in lines[1:])
            length = fields.get("content-length", "").strip()
            if not lines[0].startswith("POST /nexo ") or not length.isdecimal():
                raise NotHttp("not a POST to /nexo with a length")
            if int(length) > _MOST_BYTES:
                raise NotHttp("a request without end")
            if len(rest) < int(length):
                break
            bodies.append(rest[: int(length)])
            self._clear = rest[int(length) :]
        if len(self._clear) > 2 * _MOST_BYTES:
            raise NotHttp("a request without end")
        return bodies


def make_certificates(folder: Path, name: str) -> ssl.SSLContext:
    """Make a root and a certificate for `name`; the root is `folder`/root.pem.

    Returns what a server needs. The same folder gives the same root again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root, pair = folder / "root.pem", folder / "terminal.pem"
    if not (root.is_file() and pair.is_file()):
        _make(root, pair, name)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(pair)
    return trust


def _make(root: Path, pair: Path, name: str) -> None:
    # Valid for long on either side of now: lanes in tests have clocks of their own.
    now = datetime.now(UTC)
    since, until = now - timedelta(days=3650), now + timedelta(days=3650)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = _named("Simulated terminal fleet root")
    ca = (
        x509.CertificateBuilder()
        .subject_name(root_name)
        .issuer_name(root_name)
        .public_key(root_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(root_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .sign(root_key, hashes.SHA256())
    )
    secret = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    pair.write_bytes(secret + leaf.public_bytes(Encoding.PEM))
    root.write_bytes(ca.public_bytes(Encoding.PEM))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
