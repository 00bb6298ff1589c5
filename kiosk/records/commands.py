"""`kiosk journal`: check a journal, or write it out, on any machine.

Reads only; says what it finds in plain words; exit status 1 when a journal is bad.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import apsw
import msgspec
import typer

from kiosk.records.chain import Head
from kiosk.records.journal import JournalReader
from kiosk.records.keys import KeyFileError, load_public_key
from kiosk.records.rotation import journal_files
from kiosk.records.verify import verify_all

journal = typer.Typer(help="Check or write out the electronic journal.")

Files = Annotated[
    list[Path],
    typer.Argument(help="Journal files, oldest first, or the folder that holds them."),
]


@journal.command()
def verify(
    files: Files,
    head: Annotated[
        str, typer.Option(help="Last entry the back office holds: SEQ:DIGEST.")
    ] = "",
    key: Annotated[
        Path | None, typer.Option(help="The lane's public key, PEM or hexadecimal.")
    ] = None,
) -> None:
    """Check numbers, chain and signatures, and say how far completeness is proven."""
    try:
        public_key = load_public_key(key) if key is not None else None
    except KeyFileError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from error
    paths = _spread(files)
    verdicts = verify_all(paths, public_key, _head(head) if head else None)
    for path, verdict in zip(paths, verdicts):
        typer.echo(f"{path}: {verdict.lines()[0]}")
        for line in verdict.lines()[1:]:
            typer.echo(f"  {line}")
    if public_key is None:
        typer.echo("no --key given: checked with the key that the file itself names")
    if not all(verdict.ok for verdict in verdicts):
        raise typer.Exit(1)


@journal.command()
def export(files: Files) -> None:
    """Write every entry as one line of JSON to standard output."""
    for path in _spread(files):
        try:
            with JournalReader(path) as reader:
                for entry in reader.entries():
                    line = {
                        "lane": reader.lane_id,
                        "epoch": reader.epoch,
                        "seq": entry.seq,
                        "at_ms": entry.at_ms,
                        "mono_ms": entry.mono_ms,
                        "boot_id": entry.boot_id,
                        "kind": entry.kind,
                        "training": entry.training,
                        "body": msgspec.Raw(_one_line(entry.body)),
                        "digest": entry.digest,
                    }
                    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        except (OSError, apsw.Error) as error:
            sys.stdout.buffer.flush()
            typer.echo(f"{path}: {error}", err=True)
            raise typer.Exit(1) from error
    sys.stdout.buffer.flush()


def _spread(files: list[Path]) -> list[Path]:
    spread: list[Path] = []
    for path in files:
        found = journal_files(path) if path.is_dir() else [path]
        if not found:
            raise typer.BadParameter(f"there is no journal in {path}")
        spread += found
    return spread


def _one_line(body: bytes) -> bytes:
    # As written, since its digest is over these bytes, unless it would break the line.
    return msgspec.json.format(body, indent=-1) if b"\n" in body else body


def _head(text: str) -> Head:
    seq, _, digest = text.partition(":")
    if not (seq.isdecimal() and len(digest) == 64):
        raise typer.BadParameter(
            f"{text!r}: expected SEQ:DIGEST, a number and 64 hexadecimal digits",
            param_hint="--head",
        )
    return Head(int(seq), digest.lower())
