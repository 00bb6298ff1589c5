"""`kiosk escrow`: DATA's recovery key, for the day on which the TPM is gone.

The kiosk makes the key, adds it to DATA and keeps it only sealed for the fleet's owner
(RSA-OAEP, SHA-256): `seal`, once, on the kiosk. The owner opens it with the private key
that no kiosk and no build has: `open`. The key itself is written nowhere in clear.
"""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

escrow = typer.Typer(help="DATA's recovery key, sealed for the fleet's owner.")

DEVICE = Path("/dev/disk/by-partlabel/DATA")
OWNER = Path("/etc/stillopen/escrow.pub")
SEALED = Path("/state/recovery-key.escrow")
_PADDING = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class EscrowError(Exception):
    """The recovery key could not be made, sealed or opened. The words say why."""


def sealed(key: str, owner_pem: bytes) -> str:
    """Return a recovery key as only the owner of the private key can read it."""
    owner = serialization.load_pem_public_key(owner_pem)
    if not isinstance(owner, rsa.RSAPublicKey):
        raise EscrowError("the escrow key is no RSA key")
    return base64.b64encode(owner.encrypt(key.encode(), _PADDING)).decode()


def opened(text: str, private_pem: bytes) -> str:
    """Return the recovery key that `sealed` made."""
    try:
        private = serialization.load_pem_private_key(private_pem, None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise EscrowError("the escrow key is no RSA key")
        return private.decrypt(base64.b64decode(text), _PADDING).decode()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EscrowError("this key does not open this file") from error


def seal_anew(enroll: list[str], owner: Path, target: Path) -> None:
    """Add a recovery key to DATA, in place of any before, and keep it sealed.

    A cut in between leaves a key that nobody knows; the next start replaces it.
    """
    owner_pem = owner.read_bytes()
    done = subprocess.run(enroll, capture_output=True, text=True)
    key = done.stdout.strip()
    if done.returncode or not key:
        raise EscrowError(f"no recovery key was made: {done.stderr.strip()[-300:]}")
    aside = target.with_suffix(".new")
    with aside.open("w") as file:
        file.write(sealed(key, owner_pem) + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


@escrow.command()
def seal() -> None:
    """Make DATA's recovery key and keep it sealed on STATE (on the kiosk, as root)."""
    enroll = [
        *("systemd-cryptenroll", "--unlock-tpm2-device=auto", "--wipe-slot=recovery"),
        *("--recovery-key", str(DEVICE)),
    ]
    try:
        seal_anew(enroll, OWNER, SEALED)
    except (EscrowError, OSError) as error:
        typer.echo(f"{error}. The next start tries again.", err=True)
        raise typer.Exit(1) from error


@escrow.command("open")
def open_(
    file: Annotated[Path, typer.Argument(help="A kiosk's recovery-key.escrow.")],
    key: Annotated[Path, typer.Option(help="The owner's private key, escrow.key.")],
) -> None:
    """Print the recovery key of one kiosk (at the owner's desk)."""
    try:
        typer.echo(opened(file.read_text(), key.read_bytes()))
    except (EscrowError, OSError) as error:
        typer.echo(f"{file}: {error}", err=True)
        raise typer.Exit(1) from error
