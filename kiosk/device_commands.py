"""`kiosk devices`: what a technician does with a lane's devices from the command line.

Looks, tries and commissions; sells nothing. Two programs cannot share a scanner or a
card terminal: while the lane runs, only its journal is read.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hardware import registry
from hardware.diagnose import diagnose
from hardware.exercise import Silent, exercise
from kiosk.commissioning import (
    TRIAL_FILE,
    TRIAL_MINOR,
    Commissioning,
    NotCommissioned,
    enable,
    in_words,
)
from kiosk.domain import body as bodies
from kiosk.domain.events import DeviceChanged
from kiosk.records.journal import JournalDamaged, JournalReader
from kiosk.records.rotation import journal_files
from kiosk.settings import ConfigError, Settings, load

devices = typer.Typer(
    help="List a lane's devices; try one; commission the card terminal.",
    invoke_without_command=True,
)

SettingsFile = Annotated[
    Path,
    typer.Option(
        "--settings", metavar="FILE", help="The lane's settings, usually lane.toml."
    ),
]
DEFAULT_SETTINGS = Path("/etc/stillopen/lane.toml")
# So many files back a device's last trouble is looked for: two shop days and today.
_FILES_BACK = 3


class Trouble(msgspec.Struct, frozen=True):
    """When a device was last not well, and why."""

    at_ms: int
    health: str
    detail: str

    def __str__(self) -> str:
        at = (
            datetime.fromtimestamp(self.at_ms / 1000, UTC)
            .astimezone()
            .strftime("%Y-%m-%d %H:%M")
        )
        return f"last trouble {at}: {self.detail or self.health}"


@devices.callback()
def list_devices(
    context: typer.Context, settings: SettingsFile = DEFAULT_SETTINGS
) -> None:
    """List each device with its driver, health, firmware and last trouble, a line each.

    While the lane runs, what it says of its devices is shown; otherwise each device is
    opened for a moment. Nothing is printed and no money is moved.
    """
    if context.invoked_subcommand is not None:
        return
    loaded = _settings(settings)
    now, trouble = _by_journal(loaded)
    with _alone(loaded) as is_alone:
        if is_alone:
            for line in diagnose(loaded.all_devices()):
                _tell(line, trouble.get(line.device))
            return
    typer.echo("The lane is running; this is what it says of its devices.")
    for name, options in loaded.all_devices().items():
        driver = str(options.get("driver", ""))
        seen = now.get(name)
        words = f"{name:<9} {driver:<15} {seen.health if seen else 'silent':<9}"
        line_words = f"{words} {seen.detail if seen else ''}".rstrip()
        _tell(line_words, trouble.get(name))


@devices.command("test")
def try_out(
    name: Annotated[
        str, typer.Argument(help="Its table in lane.toml: printer, light ...")
    ],
    settings: SettingsFile = DEFAULT_SETTINGS,
) -> None:
    """Make a device do something that can be seen or heard. Moves no money."""
    loaded = _settings(settings)
    options = loaded.all_devices().get(name)
    if options is None or options.get("driver") == "none":
        known = ", ".join(
            n for n, o in loaded.all_devices().items() if o.get("driver") != "none"
        )
        _fail(f"This lane has no {name}. It has: {known}.")
        return
    with _alone(loaded) as is_alone:
        _require_alone(is_alone)
        device = _built(name, options)
        try:
            for line in exercise(name, device, time.sleep):
                typer.echo(line)
        except Silent as silent:
            _fail(f"{name}: {silent}", status=1)


@devices.command()
def commission(
    name: Annotated[
        str, typer.Argument(help="`terminal` is what can be commissioned.")
    ],
    settings: SettingsFile = DEFAULT_SETTINGS,
    amount_minor: Annotated[
        int, typer.Option(min=1, max=1000, help="The trial payment, in cents.")
    ] = TRIAL_MINOR,
) -> None:
    """Prove that the card terminal can tell how a payment ended, and enable it.

    Takes a small real payment, asks the terminal about it, and gives the money back.
    Needs a real card at the terminal, and the lane stopped.
    """
    if name != "terminal":
        _fail(f"A {name} needs no commissioning; only the terminal does.")
    loaded = _settings(settings)
    with _alone(loaded) as is_alone:
        _require_alone(is_alone)
        options = loaded.all_devices()["terminal"]
        terminal = _built("terminal", options)
        terminal.open(lambda state: None)
        folder = loaded.state / "documents"
        folder.mkdir(parents=True, exist_ok=True)
        trial = Commissioning(
            terminal, folder / TRIAL_FILE, lambda step: typer.echo(in_words(step))
        )
        try:
            terminal_id = trial.run(
                f"trial-{secrets.token_hex(8)}", amount_minor, loaded.store.currency
            )
        except NotCommissioned as reason:
            _fail(str(reason), status=1)
        finally:
            terminal.close()
        at_ms = int(time.time() * 1000)
        enable(folder, str(options["driver"]), terminal, terminal_id, at_ms)
    typer.echo(f"Terminal {terminal_id} may take payments at {loaded.lane_id}.")


def _settings(path: Path) -> Settings:
    try:
        return load(path)
    except ConfigError as error:
        _fail(str(error))
        raise


def _built(name: str, options: dict[str, Any]) -> Any:
    try:
        return registry.build(name, options)
    except registry.DeviceConfigError as error:
        _fail(str(error))
        raise


def _fail(message: str, status: int = 2) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(status)


def _require_alone(is_alone: bool) -> None:
    if not is_alone:
        _fail("The lane is running and has the device: stop it first.", status=1)


def _tell(line: object, trouble: Trouble | None) -> None:
    typer.echo(f"{line}  ({trouble})" if trouble else str(line))


@contextmanager
def _alone(settings: Settings) -> Iterator[bool]:
    """Say whether no lane program runs here, and keep it so meanwhile."""
    path = settings.state / "lane.lock"
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def _by_journal(
    settings: Settings,
) -> tuple[dict[str, DeviceChanged], dict[str, Trouble]]:
    """Return what the journal says of each device last, and its last trouble."""
    now: dict[str, DeviceChanged] = {}
    trouble: dict[str, Trouble] = {}
    folder = settings.state / "journal"
    for path in (journal_files(folder) if folder.is_dir() else [])[-_FILES_BACK:]:
        try:
            with JournalReader(path) as reader:
                for entry in reader.entries(reader.first_seq):
                    if entry.kind != DeviceChanged.__name__:
                        continue
                    said = bodies.decode(entry.body)
                    event: Any = said.event if said else None
                    if not isinstance(event, DeviceChanged):
                        continue
                    now[event.device] = event
                    if event.health != "ready":
                        trouble[event.device] = Trouble(
                            entry.at_ms, event.health, event.detail
                        )
        except (OSError, JournalDamaged) as error:
            typer.echo(f"{path}: {error}", err=True)
    return now, trouble
