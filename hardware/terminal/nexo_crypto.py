"""Encryption of nexo messages as Adyen terminals do it in local mode. Pure.

card-terminals.md 7.2. Keys come from a passphrase that the shop sets at the terminal and
at the lane; each message has a nonce of its own. A message that was tampered with and
one that was encrypted with another key are told apart by nobody: both are `Unreadable`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

CRYPTO_VERSION = 1
NONCE_BYTES = 16
_SALT = b"AdyenNexoV1Salt"
_ROUNDS = 4000
_BLOCK_BITS = 128
_PASSPHRASE_CHARACTERS = 12


class Unreadable(Exception):
    """What came is not a message that was sealed with this key, and whole."""


class Trailer(msgspec.Struct, frozen=True, rename="pascal"):
    """What says how a message is sealed (`SecurityTrailer`)."""

    adyen_crypto_version: int
    key_identifier: str
    key_version: int
    nonce: str
    hmac: str


class Key:
    """The secret that a lane and its terminal share. Never shown, never logged."""

    def __init__(self, passphrase: str, identifier: str, version: int) -> None:
        self.identifier = identifier
        self.version = version
        derived = hashlib.pbkdf2_hmac(
            "sha1", passphrase.encode(), _SALT, _ROUNDS, 2 * 32 + NONCE_BYTES
        )
        self._hmac_key, self._cipher_key = derived[:32], derived[32:64]
        self._iv = derived[64:]

    def __repr__(self) -> str:
        return f"Key({self.identifier!r}, version {self.version}, ******)"

    def seal(self, clear: bytes, nonce: bytes) -> tuple[str, Trailer]:
        """Return a message as `NexoBlob` and `SecurityTrailer` carry it.

        `nonce`: 16 random bytes, for this message alone.
        """
        padder = PKCS7(_BLOCK_BITS).padder()
        padded = padder.update(clear) + padder.finalize()
        encryptor = self._cipher(nonce).encryptor()
        blob = encryptor.update(padded) + encryptor.finalize()
        trailer = Trailer(
            CRYPTO_VERSION,
            self.identifier,
            self.version,
            _text(nonce),
            _text(self._sign(clear)),
        )
        return _text(blob), trailer

    def open(self, blob: str, trailer: Trailer) -> bytes:
        """Return the message that was sealed. Raises `Unreadable`."""
        if trailer.adyen_crypto_version != CRYPTO_VERSION:
            raise Unreadable(f"crypto version {trailer.adyen_crypto_version}")
        if (trailer.key_identifier, trailer.key_version) != (
            self.identifier,
            self.version,
        ):
            raise Unreadable("sealed with another key than the lane's")
        sealed, nonce = _bytes(blob), _bytes(trailer.nonce)
        if len(nonce) != NONCE_BYTES:
            raise Unreadable("the nonce has a wrong length")
        decryptor = self._cipher(nonce).decryptor()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        try:
            padded = decryptor.update(sealed) + decryptor.finalize()
            clear = unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            # The same words as for a wrong signature: nobody learns which it was.
            clear = b""
        if not clear or not hmac.compare_digest(
            self._sign(clear), _bytes(trailer.hmac)
        ):
            raise Unreadable("not sealed with the lane's passphrase, or changed since")
        return clear

    def _cipher(self, nonce: bytes) -> Cipher[CBC]:
        iv = bytes(one ^ other for one, other in zip(self._iv, nonce, strict=True))
        return Cipher(AES256(self._cipher_key), CBC(iv))

    def _sign(self, clear: bytes) -> bytes:
        return hmac.digest(self._hmac_key, clear, "sha256")


def check_passphrase(passphrase: str) -> None:
    """Raise `ValueError` in words for a passphrase that terminals do not take."""
    kinds = (str.isupper, str.islower, str.isdigit, _is_special)
    if len(passphrase) < _PASSPHRASE_CHARACTERS or not all(
        any(is_kind(one) for one in passphrase) for is_kind in kinds
    ):
        raise ValueError(
            f"a passphrase has at least {_PASSPHRASE_CHARACTERS} characters, with upper"
            " and lower case, a digit and a special character"
        )


def _is_special(character: str) -> bool:
    return not character.isalnum() and not character.isspace()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("not base64") from error
