"""Ed25519 keys kept in files, and the device secret.

A private key or secret never leaves its file (mode 0600) but into this process; it
is never logged, journaled or sent. PEM, so that openssl can check what we sign.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from kiosk.records.disk import sync_folder

SECRET_BYTES = 32


class KeyFileError(OSError):
    """A key file that cannot be used. The words are the technician's."""


class SigningKey:
    """An Ed25519 key: the lane's, or the back office's."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def create(cls, path: Path) -> SigningKey:
        """Make a new key in a new file; an existing file is never replaced."""
        private = Ed25519PrivateKey.generate()
        _write_secret(
            path,
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return cls(private)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key that `create` made."""
        try:
            private = serialization.load_pem_private_key(_read_secret(path), None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(f"{path} holds no private key in PEM form") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{path} holds a key, but not an Ed25519 key")
        return cls(private)

    @classmethod
    def load_or_create(cls, path: Path) -> SigningKey:
        """Read the key, or make it when there is no file."""
        return cls.load(path) if path.exists() else cls.create(path)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Return the key of 32 bytes: for simulations, where every run is the same."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign(self, text: bytes) -> bytes:
        """Return the signature of `text`, 64 bytes."""
        return self._private.sign(text)

    def public_pem(self) -> bytes:
        """Return the public key as PEM, to hand out."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )


LaneKey: TypeAlias = SigningKey


def is_signed(public_key: bytes, text: bytes, signature: bytes) -> bool:
    """Say whether `signature` is that key's over `text`. Never raises."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def load_public_key(path: Path) -> bytes:
    """Return the 32 bytes of a public key from a file in PEM or hexadecimal form."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"cannot read the key {path}: {error.strerror}") from error
    if re.fullmatch(rb"\s*[0-9a-fA-F]{64}\s*", content):
        return bytes.fromhex(content.decode().strip())
    try:
        public = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{path} holds no public key: expected PEM or 64 hexadecimal digits"
        ) from error
    if not isinstance(public, Ed25519PublicKey):
        raise KeyFileError(f"{path} holds a key, but not an Ed25519 key")
    return public.public_bytes_raw()


def device_secret(path: Path) -> bytes:
    """Return this machine's secret of 32 bytes, made when there is no file yet.

    Without it the hashes of the attendants' PINs are worth nothing to a thief.
    """
    if not path.exists():
        _write_secret(path, secrets.token_bytes(SECRET_BYTES))
    return _whole(path, _read_secret(path))


def shop_secret(path: Path) -> bytes:
    """Return the secret that a back office hashes its staff's PINs with.

    Made by the back office (`device_secret`); a lane's group may read its copy.
    """
    return _whole(path, _read_secret(path, 0o037))


def _whole(path: Path, secret: bytes) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise KeyFileError(
            f"{path} must hold {SECRET_BYTES} bytes, it holds {len(secret)}"
        )
    return secret


def _write_secret(path: Path, content: bytes) -> None:
    # Aside and linked: a cut never leaves half a key, and link refuses to replace.
    aside = path.with_name(f"{path.name}.new-{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError as error:
        raise KeyFileError(f"{path} is there already and is not replaced") from error
    finally:
        aside.unlink()
    sync_folder(path.parent)


def _read_secret(path: Path, closed: int = 0o077) -> bytes:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from error
    if mode & closed:
        raise KeyFileError(
            f"{path} can be read by others (mode {mode & 0o777:o}):"
            f" expected {0o660 & ~closed:o}"
        )
    return content
