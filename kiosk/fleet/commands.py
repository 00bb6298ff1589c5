"""`kiosk fleet`: enrol kiosks, say who helps, see who runs what, publish, fetch logs.

Words and tables for an admin, or JSON for a program; decides nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from kiosk.fleet.office import FleetError, FleetOffice
from kiosk.fleet.publish import PublishError, described
from kiosk.fleet.publish import publish as put_release
from kiosk.records.disk import replace_file
from kiosk.records.keys import KeyFileError, SigningKey
from kiosk.settings import ConfigError, parse
from kiosk.sync.claim import shown, typed

fleet = typer.Typer(
    help="Enrol kiosks, say who helps, see who runs what, publish releases, fetch logs.",
    no_args_is_help=True,
)
key = typer.Typer(help="The key that signs a fleet's releases.", no_args_is_help=True)
fleet.add_typer(key, name="key")
staff = typer.Typer(
    help="Who helps at the lanes: attendants and technicians, and their PINs.",
    no_args_is_help=True,
)
fleet.add_typer(staff, name="staff")

OfficeUrl = Annotated[
    str,
    typer.Option("--office", help="The back office.", envvar="STILLOPEN_OFFICE"),
]
TokenFile = Annotated[
    Path,
    typer.Option(
        help="The admins' word, which the back office keeps in its folder.",
        envvar="STILLOPEN_ADMIN_TOKEN_FILE",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
HERE = "http://127.0.0.1:8080"
TOKEN_HERE = Path("var/office/admin.token")
KEY_NAME = "fleet.key"
TAKEN_UP = (
    "Lanes that are online take it up within a minute; one without network goes on"
    " with the staff it knows until it is back."
)


@fleet.command()
def waiting(
    office: OfficeUrl = HERE, token_file: TokenFile = TOKEN_HERE, json: AsJson = False
) -> None:
    """Show the kiosks that wait to become lanes. Their codes are on their screens."""
    with _in_words():
        found = FleetOffice(office, token_file).waiting()
    if json:
        _json(found)
        return
    table = _table("Hardware", "Release", "Was", "Address", "Waits for", "Claim")
    now_ms = _now_ms()
    for one in found:
        waits = _age(now_ms - one.made_ms) + (", silent now" if one.is_gone else "")
        table.add_row(
            one.hardware or "unknown",
            one.release or "unknown",
            one.was or "new",
            one.address,
            waits,
            one.claim_id,
        )
    _show(table, "No kiosk waits.")
    if found:
        typer.echo("Approve with the code on the kiosk's screen: kiosk fleet approve")


@fleet.command()
def approve(
    code: Annotated[str, typer.Argument(help="The code on the kiosk's screen.")],
    lane: Annotated[str, typer.Option(help="The lane it becomes, like lane-3.")],
    settings: Annotated[
        Path, typer.Option(metavar="LANE_TOML", help="That lane's settings.")
    ],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="It takes the place of this lane's machine."),
    ] = False,
    office: OfficeUrl = HERE,
    token_file: TokenFile = TOKEN_HERE,
    json: AsJson = False,
) -> None:
    """Let the kiosk that shows CODE become a lane, with these settings."""
    with _in_words():
        if not typed(code):
            raise FleetError("a claim code is 8 letters and digits, like ACDE-FGHJ")
        text = _read(settings)
        # Found here and now, and not by a kiosk far away.
        parse(text, str(settings))
        approved = FleetOffice(office, token_file).approve(code, lane, text, replace)
    if json:
        _json(approved)
    else:
        typer.echo(
            f"The kiosk with code {shown(typed(code))} is {lane} within seconds."
            " See `kiosk fleet list`."
        )


@fleet.command()
def refuse(
    claim: Annotated[str, typer.Argument(help="The claim, from `fleet waiting`.")],
    office: OfficeUrl = HERE,
    token_file: TokenFile = TOKEN_HERE,
) -> None:
    """Send a waiting kiosk away: its code is never good again."""
    with _in_words():
        FleetOffice(office, token_file).refuse(claim)
    typer.echo("Refused. The kiosk shows another code in a minute.")


@fleet.command(name="list")
def list_lanes(
    office: OfficeUrl = HERE, token_file: TokenFile = TOKEN_HERE, json: AsJson = False
) -> None:
    """Show who runs what: release, slot, last contact, queue, last update."""
    with _in_words():
        found = FleetOffice(office, token_file).lanes()
    if json:
        _json(found)
        return
    table = _table("Lane", "Release", "Slot", "Last contact", "Queue", "Last update")
    now_ms = _now_ms()
    for one in found:
        contact = f"{_age(now_ms - one.contact_ms)} ago" if one.contact_ms else "never"
        table.add_row(
            one.lane_id,
            one.release or "unknown",
            one.slot or "unknown",
            contact,
            str(one.queue),
            one.updater or "none",
        )
    _show(table, "No lane has enrolled yet.")


@fleet.command()
def publish(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE.swu")],
    to: Annotated[Path, typer.Option(help="The folder that a web server serves.")],
    key_file: Annotated[
        Path, typer.Option("--key", help="The fleet's key (`kiosk fleet key new`).")
    ],
    release: Annotated[
        str, typer.Option(help="Like 1.2.3; the bundle's own word if not given.")
    ] = "",
    hardware: Annotated[
        str, typer.Option(help="Like x86-64-v1; the bundle's own word if not given.")
    ] = "",
    notes: Annotated[str, typer.Option(help="What it brings, in a sentence.")] = "",
    json: AsJson = False,
) -> None:
    """Put a release where kiosks look for it; they fetch it by themselves."""
    with _in_words():
        said = described(bundle)
        for given, own, what in (
            (release, said.release, "release"),
            (hardware, said.hardware, "hardware"),
        ):
            if given and own and given != own:
                raise PublishError(f"the bundle's {what} is {own}, not {given}")
        announced = put_release(
            bundle,
            to,
            SigningKey.load(key_file),
            release=release or said.release,
            hardware=hardware or said.hardware,
            notes=notes,
            now_ms=_now_ms(),
        )
    if json:
        _json(announced)
    else:
        typer.echo(
            f"Release {announced.release} for {announced.hardware} is published in {to}"
            f" as number {announced.sequence}."
        )


@fleet.command()
def logs(
    lane: Annotated[str, typer.Argument(help="Whose log.")],
    out: Annotated[Path, typer.Option(help="Where it is written.")],
    hours: Annotated[int, typer.Option(help="How far back.", min=1)] = 24,
    wait: Annotated[float, typer.Option(help="Seconds to wait for it.")] = 120,
    office: OfficeUrl = HERE,
    token_file: TokenFile = TOKEN_HERE,
) -> None:
    """Fetch a lane's technical log of the last hours, without card numbers."""
    with _in_words():
        content = FleetOffice(office, token_file).log_of(
            lane, hours, wait, threading.Event().wait
        )
        replace_file(out, content, 0o600)
    typer.echo(f"{out}: {len(content.splitlines()):,} lines of {lane}")


@key.command()
def new(
    folder: Annotated[
        Path, typer.Argument(help="Where the key is kept; no repository.")
    ],
) -> None:
    """Make the fleet's key pair: fleet.key stays secret, fleet.pub goes to kiosks."""
    with _in_words():
        for above in (folder.absolute(), *folder.absolute().parents):
            if (above / ".git").exists():
                raise FleetError(
                    f"{folder} lies in a repository ({above}), and this key must never"
                    " be in one. Choose another folder, on a medium you lock away"
                )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = SigningKey.create(folder / KEY_NAME)
        replace_file(folder / "fleet.pub", made.public_pem(), 0o644)
    typer.echo(
        f"{folder / KEY_NAME} signs releases: keep it offline, and a copy elsewhere.\n"
        f"An image built with STILLOPEN_KEYS={folder} trusts it, and so do kiosks with\n"
        "this line in fleet.toml:\n"
        f'release_keys = ["{made.public.hex()}"]'
    )


@staff.command()
def add(
    number: Annotated[str, typer.Argument(help="1 to 8 digits, typed at the kiosk.")],
    name: Annotated[str, typer.Option(help="As colleagues read it.")],
    role: Annotated[
        list[str],
        typer.Option(
            help="What they may do, once for each: approve (ages, checks), void (take"
            " out, cancel, money back), price (change prices), settle (payments whose"
            " end nobody knows), close (the lane, training), technician (devices,"
            " network, updates)."
        ),
    ],
    pin_file: Annotated[
        Path | None,
        typer.Option(help="A file with the PIN; without it you are asked, unseen."),
    ] = None,
    keep_pin: Annotated[
        bool, typer.Option("--keep-pin", help="Change name or roles, not the PIN.")
    ] = False,
    office: OfficeUrl = HERE,
    token_file: TokenFile = TOKEN_HERE,
    json: AsJson = False,
) -> None:
    """Add one who helps, or change the one with this NUMBER (roles are set anew).

    A PIN has 6 to 12 digits and no pattern. It is hashed at the back office and kept
    nowhere; it is never given on the command line, where others could read it.
    """
    with _in_words():
        if keep_pin and pin_file is not None:
            raise FleetError("a new PIN or the former: give one of the two options")
        admin = FleetOffice(office, token_file)
        pin = "" if keep_pin else _pin(number, pin_file)
        put = admin.put_staff(number, name, tuple(role), pin)
    if json:
        _json(put)
    else:
        typer.echo(f"{put.name} ({number}) may: {', '.join(put.roles)}. {TAKEN_UP}")


@staff.command(name="list")
def list_staff(
    office: OfficeUrl = HERE, token_file: TokenFile = TOKEN_HERE, json: AsJson = False
) -> None:
    """Show who may help, and how far. PINs are kept nowhere and cannot be shown."""
    with _in_words():
        found = FleetOffice(office, token_file).staff()
    if json:
        _json(found)
        return
    table = _table("Number", "Name", "Roles")
    for one in found:
        table.add_row(one.attendant_id, one.name, ", ".join(one.roles))
    _show(table, "Nobody helps yet: kiosk fleet staff add NUMBER")


@staff.command()
def remove(
    number: Annotated[str, typer.Argument(help="Whose PIN is good no more.")],
    office: OfficeUrl = HERE,
    token_file: TokenFile = TOKEN_HERE,
) -> None:
    """Take one who helped away. Their PIN is good no more at lanes that hear of it."""
    with _in_words():
        gone = FleetOffice(office, token_file).remove_staff(number)
    typer.echo(f"{gone.name} ({number}) helps no more. {TAKEN_UP}")


def _pin(number: str, file: Path | None) -> str:
    if file is None:
        asked: str = typer.prompt(
            f"PIN of {number}", hide_input=True, confirmation_prompt="Once more"
        )
        return asked.strip()
    # Nothing but its PIN may be in it, so that no other secret is sent for one.
    pin = _read(file).strip()
    if not pin:
        raise FleetError(f"{file} holds no PIN")
    return pin


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FleetError(f"{path} is no UTF-8 text") from error


@contextmanager
def _in_words() -> Iterator[None]:
    """End the command with the words of what went wrong."""
    try:
        yield
    except (FleetError, PublishError, ConfigError, KeyFileError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"{error.filename}: {os.strerror(error.errno or 0)}", err=True)
        raise typer.Exit(2) from error


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, justify="right" if head == "Queue" else "left")
    return table


def _show(table: Table, empty: str) -> None:
    if not table.row_count:
        typer.echo(empty)
        return
    # In a pipe nothing wraps.
    Console(markup=False, width=None if sys.stdout.isatty() else 200).print(table)


def _json(content: object) -> None:
    typer.echo(msgspec.json.encode(content).decode())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _age(ms: int) -> str:
    seconds = max(0, ms) // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"
