"""`kiosk attest`: check the code that a lane's service screen shows.

Needs the code and the lane's public key, no lane and no network. Exit status 1 when
the key did not sign it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kiosk.records import attestation
from kiosk.records.keys import KeyFileError, load_public_key

attest = typer.Typer(help="Check a lane's attestation code.")


@attest.callback()
def _about() -> None:
    """Check a lane's attestation code."""


@attest.command()
def verify(
    code: Annotated[
        str, typer.Argument(help="The code as a phone reads it; - for standard input.")
    ],
    key: Annotated[
        Path, typer.Option(help="The lane's public key, PEM or hexadecimal.")
    ],
    root_hash: Annotated[
        str, typer.Option(help="The root hash the release was published with.")
    ] = "",
) -> None:
    """Say what a lane attests, and whether its key signed exactly that."""
    try:
        public_key = load_public_key(key)
    except KeyFileError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from error
    text = typer.get_text_stream("stdin").read() if code == "-" else code
    try:
        told, is_good = attestation.read(text, public_key)
    except attestation.NoAttestation as error:
        raise typer.BadParameter(str(error), param_hint="CODE") from error
    try:
        moment = datetime.fromtimestamp(told.at_ms / 1000, UTC)
        at = moment.isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        at = f"{told.at_ms} ms"
    typer.echo(f"lane      {told.lane_id}")
    typer.echo(f"release   {told.release or 'unknown'}")
    typer.echo(f"root      {told.root_hash.hex() or 'none: not a verified root'}")
    typer.echo(f"journal   {told.seq}:{told.digest.hex()}")
    typer.echo(f"time      {at}")
    if not is_good:
        typer.echo("NOT signed by this key: do not trust a word of it", err=True)
        raise typer.Exit(1)
    if root_hash and told.root_hash.hex() != root_hash.strip().lower():
        typer.echo("signed, but another root runs than the one given", err=True)
        raise typer.Exit(1)
    typer.echo("signed by this key")
