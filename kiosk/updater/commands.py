"""`kiosk updater`: what the appliance's units start, and what a technician may look at.

No flags for shop or release: what may be installed is decided by signatures.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from kiosk.updater.gate import Gate
from kiosk.updater.real import RealMachine
from kiosk.updater.store import Folders
from kiosk.updater.updater import Updater, put_into_inbox

updater = typer.Typer(help="Install signed updates, and keep them only if they work.")


@updater.callback()
def begin() -> None:
    """Log to where the unit's log goes."""
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )


@updater.command()
def run() -> None:
    """Take what lies in the inbox through to the restart; return when it is empty."""
    folders = Folders()
    folders.inbox.mkdir(parents=True, exist_ok=True)
    Updater(RealMachine(), folders).run()


@updater.command()
def confirm() -> None:
    """Keep the release that was started, or restart into the one before."""
    Gate(RealMachine(), Folders()).confirm()


@updater.command(name="count-start")
def count_start() -> None:
    """Count this start; after three that came to nothing, give way to the other slot."""
    Gate(RealMachine(), Folders()).count_start()


@updater.command()
def take(
    file: Annotated[Path, typer.Argument(help="An update, on a USB stick for one.")],
) -> None:
    """Put an update into the inbox, where the same steps wait for it."""
    try:
        put_into_inbox(file, Folders())
    except OSError as error:
        typer.echo(f"{file} cannot be taken: {error.strerror}", err=True)
        raise typer.Exit(1) from error


@updater.command()
def status() -> None:
    """Show where the last update stands."""
    path = Folders().own / "status.json"
    try:
        sys.stdout.write(path.read_text(encoding="utf-8"))
    except OSError as error:
        typer.echo("No update was tried yet.", err=True)
        raise typer.Exit(1) from error
