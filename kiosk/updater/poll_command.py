"""`kiosk updater poll`: the poller as a process. A loop and not a timer, because it
backs off, and goes where `Retry-After` says; a timer knows neither.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from kiosk import readings
from kiosk.fleet_settings import FLEET_TOML, load
from kiosk.records.keys import KeyFileError, load_public_key
from kiosk.settings import ConfigError
from kiosk.updater.fetch import Trouble
from kiosk.updater.poll import INBOX, STATE_DIR, Delivered, Places, Poller, Refused, run

FLEET_KEY = Path("/etc/stillopen/fleet-key.pub")
# EX_CONFIG (sysexits.h): the unit does not start it again.
NOT_CONFIGURED = 78


def poll(
    fleet: Annotated[
        Path, typer.Option("--fleet", metavar="FILE", help="Where releases are.")
    ] = FLEET_TOML,
    key: Annotated[
        Path, typer.Option(help="The fleet's public key, besides fleet.toml's.")
    ] = FLEET_KEY,
    inbox: Annotated[Path, typer.Option(help="Where bundles go.")] = INBOX,
    state: Annotated[Path, typer.Option(help="What it remembers.")] = STATE_DIR,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, now, and say what came of it.")
    ] = False,
) -> None:
    """Look for newer releases, and bring them to the updater's inbox."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        settings = load(fleet)
        keys = settings.trusted_keys
        if key.exists():
            keys += (load_public_key(key),)
    except (ConfigError, KeyFileError) as error:
        _fail(str(error), NOT_CONFIGURED)
    if not settings.releases:
        # Not a failure: a kiosk may get its updates by stick alone.
        typer.echo(f"{fleet} names no releases: there is nothing to look for")
        return
    if not keys:
        _fail(
            f"{fleet}: release_keys names no key, so no release can be taken",
            NOT_CONFIGURED,
        )
    poller = Poller(
        settings.releases,
        keys,
        readings.release(readings.Sources()),
        Places(inbox, state),
    )
    try:
        if once:
            _once(poller)
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        run(poller, settings.poll_seconds, stop, SystemRandom())
    finally:
        poller.close()


def _once(poller: Poller) -> None:
    outcome = poller.go_round()
    if isinstance(outcome, Delivered):
        typer.echo(f"release {outcome.release.release}: {outcome.path}")
        return
    typer.echo(outcome.words)
    if isinstance(outcome, Refused | Trouble):
        raise typer.Exit(1)


def _fail(message: str, status: int) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(status)
