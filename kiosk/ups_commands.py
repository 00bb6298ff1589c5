"""`kiosk ups`: puts NUT's files in place at boot. Starts nothing and watches nothing.

Reads no more of lane.toml than `[ups]`: a slip elsewhere in it is no reason to lose the
safe shutdown.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from kiosk import ups_config
from kiosk.ups_config import LANE_PASSWORD_FILE, UpsSettings

ups = typer.Typer(help="What NUT is told about this machine's UPS.")

# What the boot rendered, else what the machine came with.
SETTINGS = (Path("/run/stillopen/lane.toml"), Path("/etc/stillopen/lane.toml"))
_SECRET_BYTES = 16
_OWNER_AND_GROUP = 0o640


class UpsWrong(Exception):
    """`[ups]` cannot be used. The words say what to change."""


@ups.callback()
def _group() -> None:
    """Keep `render` a word of its own: a group of one would swallow it."""


@ups.command()
def render(
    to: Annotated[Path, typer.Option(help="The folder that NUT reads.")] = Path(
        ups_config.FOLDER
    ),
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The lane's settings, else the machine's."),
    ] = None,
    group: Annotated[
        str, typer.Option(help="Who reads them, NUT's own group on a kiosk.")
    ] = "",
    lane_group: Annotated[
        str, typer.Option(help="Who reads the lane's password for a shutdown.")
    ] = "",
) -> None:
    """Write NUT's files with the passwords of this boot; none without a UPS."""
    chosen = settings or next(
        (path for path in SETTINGS if path.exists()), SETTINGS[-1]
    )
    try:
        told = read(chosen)
        write(told, to, group, lane_group)
    except (UpsWrong, OSError, LookupError) as error:
        typer.echo(f"{chosen}: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"UPS: {told.driver}")


def read(path: Path) -> UpsSettings:
    """Return `[ups]` of a lane's settings. Raises `UpsWrong`, `OSError`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("ups", {})
        told = msgspec.convert(table, UpsSettings)
    except (ValueError, msgspec.ValidationError) as error:
        raise UpsWrong(f"[ups]: {error}") from error
    if faults := ups_config.problems(told):
        raise UpsWrong("; ".join(faults))
    return told


def write(told: UpsSettings, folder: Path, group: str, lane_group: str) -> None:
    """Write the files anew, each whole before it has its name; remove what is old.

    Raises `OSError`, and `LookupError` for a group that is not there.
    """
    folder.mkdir(exist_ok=True)
    passwords = secrets.token_hex(_SECRET_BYTES), secrets.token_hex(_SECRET_BYTES)
    files = ups_config.files(told, *passwords)
    for name, content in files.items():
        aside = folder / f".{name}"
        aside.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(aside, flags, 0o600), "w") as file:
            file.write(content)
        reader = lane_group if name == LANE_PASSWORD_FILE else group
        if reader:
            shutil.chown(aside, group=reader)
            aside.chmod(_OWNER_AND_GROUP)
        aside.rename(folder / name)
    for name in ups_config.NAMES - files.keys():
        (folder / name).unlink(missing_ok=True)
