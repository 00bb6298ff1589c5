"""`kiosk caretaker`: the root service, and what it renders at each start."""

from __future__ import annotations

import grp
import logging
import pwd
import sys
from pathlib import Path
from typing import Annotated

import typer

from kiosk.caretaker import server
from kiosk.caretaker.deeds import Caretaker
from kiosk.caretaker.places import Places
from kiosk.caretaker.real import Appliance
from kiosk.caretaker.rendering import render as render_all

caretaker = typer.Typer(help="The appliance's root service; systemd starts it.")

LANE_USER = "stillopen"


def _log() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr
    )


@caretaker.command()
def serve(
    socket: Annotated[
        Path | None, typer.Option(help="Listen here when systemd passed no socket.")
    ] = None,
) -> None:
    """Answer the lane's requests until a minute passes without any."""
    _log()
    listening = server.passed_socket()
    if listening is None:
        if socket is None:
            typer.echo("systemd passed no socket; name one with --socket", err=True)
            raise typer.Exit(2)
        listening = server.listen(socket)
    try:
        allowed = {pwd.getpwnam(LANE_USER).pw_uid}
    except KeyError:
        typer.echo(f"there is no user {LANE_USER}: this is no appliance", err=True)
        raise typer.Exit(2) from None
    server.serve(listening, Caretaker(Appliance(), Places()), allowed)


@caretaker.command()
def render() -> None:
    """Write /run/stillopen/lane.toml and the network's file from what was set."""
    _log()
    try:
        group = grp.getgrnam(LANE_USER).gr_gid
    except KeyError:
        group = -1
    render_all(Places(), group)
