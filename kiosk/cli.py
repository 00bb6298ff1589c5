"""The `kiosk` program: its commands, their options and their help.

Each command loads only what it needs, when it is used: a lane must be ready for its
first scan in seconds, and an appliance lacks the bench and the back office altogether.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import signal
import sys
import threading
from pathlib import Path
from random import SystemRandom
from types import ModuleType
from typing import Annotated, Any, Literal

import typer

from kiosk.caretaker.commands import caretaker
from kiosk.device_commands import devices
from kiosk.escrow import escrow
from kiosk.records.attest_command import attest
from kiosk.records.commands import journal
from kiosk.reporting import report
from kiosk.updater.commands import updater
from kiosk.ups_commands import ups

# An appliance lacks what coloured help is made with: nobody reads it there.
_MARKUP: Literal["rich"] | None = (
    "rich" if importlib.util.find_spec("pygments") else None
)

app = typer.Typer(
    name="kiosk",
    rich_markup_mode=_MARKUP,
    help="Stillopen: a self-checkout that still sells when the network, the mains or"
    " the card host goes away.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(journal, name="journal")
app.add_typer(attest, name="attest")
app.add_typer(caretaker, name="caretaker")
app.add_typer(report, name="report")
app.add_typer(devices, name="devices")
app.add_typer(escrow, name="escrow")
app.add_typer(updater, name="updater")
app.add_typer(ups, name="ups")


SettingsFile = Annotated[
    Path,
    typer.Option(
        "--settings", metavar="FILE", help="The lane's settings, usually lane.toml."
    ),
]
DEFAULT_SETTINGS = Path("/etc/stillopen/lane.toml")
FleetFile = Annotated[
    Path,
    typer.Option(
        "--fleet", metavar="FILE", help="Where the back office and releases are."
    ),
]
DEFAULT_FLEET = Path("/etc/stillopen/fleet.toml")


def main() -> None:
    """Run the command named on the command line."""
    app()


def _load(module: str) -> ModuleType:
    return importlib.import_module(module)


def _bench(module: str) -> ModuleType:
    """Load a part of the bench, or say that this installation has none."""
    if importlib.util.find_spec("kiosk.bench") is None:
        _fail("this installation has no bench: it is a production lane's")
    return _load(f"kiosk.bench.{module}")


def _office(module: str) -> ModuleType:
    """Load what needs the back office, or say that this installation has none."""
    if importlib.util.find_spec("kiosk.backoffice") is None:
        _fail(
            "this installation has no back office: it is a lane's. Run this command on"
            " the office's server, or from the project's folder"
        )
    return _load(module)


def _fail(message: str, status: int = 2) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(status)


def _log(level: int = logging.INFO) -> None:
    logging.basicConfig(
        level=level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )


@app.command()
def run(
    settings: SettingsFile = DEFAULT_SETTINGS,
    fleet: FleetFile = DEFAULT_FLEET,
    play: Annotated[
        bool,
        typer.Option(
            "--play",
            help="Start a whole shop to play with: simulated devices, back office,"
            " bench page. Needs no settings file.",
        ),
    ] = False,
    folder: Annotated[
        Path, typer.Option(help="With --play: where the shop keeps everything.")
    ] = Path("var/play"),
    landscape: Annotated[
        bool, typer.Option(help="With --play: a 1920x1080 screen, not 1080x1920.")
    ] = False,
    bench: Annotated[
        Path | None,
        typer.Option(help="Let a bench see and tap the screen through this socket."),
    ] = None,
) -> None:
    """Run a lane: its screen, its devices and its journal."""
    if play:
        _bench("play_command").play(folder, landscape)
        return
    _log()
    settings_module = _load("kiosk.settings")
    try:
        loaded = settings_module.load(settings)
        if _load("kiosk.enrol_screen").is_blank(fleet, _places()):
            _show_claim(loaded)
            return
        files = _load("kiosk.enrolment.files")
        enrolled = files.enrolled(_places())
        if enrolled is not None and enrolled.lane_id != loaded.lane_id:
            # Not rendered yet, or the machine's first settings in a bad file's place.
            _fail(
                f"{settings} is {loaded.lane_id}'s, and this kiosk was enrolled as"
                f" {enrolled.lane_id}: it must not sell as another lane. Mend"
                f" {_places().lane_toml}, or enrol it anew",
                status=75,
            )
        loaded = files.with_office(loaded, _places())
        _load("kiosk.main").run(loaded, bench)
    except settings_module.ConfigError as error:
        _fail(str(error))
    except _load("kiosk.ui.environment").FontMissing as error:
        _fail(str(error))
    except _load("kiosk.opening").CannotOpen as error:
        # Not a setting: systemd may start it again when the disk is mended.
        _fail(str(error), status=70)


def _release() -> Any:
    readings = _load("kiosk.readings")
    return readings.release(readings.Sources())


def _places() -> Any:
    return _load("kiosk.enrolment.files").Places()


def _show_claim(settings: Any) -> None:
    """Show the claim code of a kiosk that is no lane yet, until it is one."""
    environment = _load("kiosk.ui.environment")
    environment.prepare()
    environment.check_fonts()
    screen = _load("kiosk.enrol_screen").EnrolScreen(_places(), settings.rules())
    window = screen.open(_load("kiosk.ui.app").LaneApp, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: window.stop())
    window.run()


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Where screenshots, receipts and the journal go.")
    ] = Path("var/demo"),
) -> None:
    """Play a whole day without a hand: faults, a power cut, no network; then count."""
    raise typer.Exit(_bench("demo").demo(out))


@app.command()
def bench(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure this machine: scan to journal, scan to frame, prices, sync, memory."""
    _bench("figures").bench(json)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="The first run's seed.")] = 1,
    runs: Annotated[int, typer.Option(help="How many lane days to play.")] = 100,
    shoppers: Annotated[int, typer.Option(help="Shoppers in a day.")] = 20,
    jobs: Annotated[int, typer.Option(help="Processes to play in.")] = 1,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Tell the story of each run.")
    ] = False,
) -> None:
    """Play lane days with faults and power cuts in virtual time, and check the books.

    A failure prints its seed; `--seed S --runs 1 --verbose` plays it again.
    """
    _bench("simulation.command").simulate(
        seed=seed, runs=runs, shoppers=shoppers, jobs=jobs, verbose=verbose
    )


@app.command()
def sync(settings: SettingsFile = DEFAULT_SETTINGS) -> None:
    """Bring the journal to the back office, and prices and orders to the lane."""
    _log()
    settings_module = _load("kiosk.settings")
    try:
        loaded = settings_module.load(settings)
    except settings_module.ConfigError as error:
        _fail(str(error))
    loaded = _load("kiosk.enrolment.files").with_office(loaded, _places())
    if not loaded.sync.server_url:
        _fail(f"{settings}: sync.server_url is needed to sync, and missing")
    if not loaded.sync.server_key:
        _fail(f"{settings}: sync.server_key is needed to sync, and missing")
    process = _load("kiosk.sync.process")
    stop = _until_stopped()
    state = loaded.state
    process.run(
        process.SyncSettings(
            lane_id=loaded.lane_id,
            journal_dir=state / "journal",
            state_dir=state / "sync",
            catalog_path=state / "catalog.db",
            server_url=loaded.sync.server_url,
            key_path=state / "lane.key",
            server_key_path=Path(loaded.sync.server_key),
            lane_socket=state / "lane.sock",
            enrol_token=loaded.sync.enrol_token,
            release=_release().release,
            hello_seconds=loaded.sync.hello_seconds,
            longest_retry_seconds=loaded.sync.longest_retry_seconds,
            answer_seconds=loaded.sync.answer_seconds,
        ),
        stop,
    )


def _until_stopped() -> threading.Event:
    """Return what is set when somebody wants this process to end."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@app.command()
def enrol(
    fleet: FleetFile = DEFAULT_FLEET,
    state: Annotated[
        Path, typer.Option(help="Where the machine's key is kept for good.")
    ] = Path("/state/identity"),
    config: Annotated[
        Path, typer.Option(help="Where the lane's settings are put.")
    ] = Path("/var/lib/stillopen-config"),
    run: Annotated[
        Path, typer.Option(help="Where the screen finds the claim code.")
    ] = Path("/run/stillopen-enrol"),
) -> None:
    """Ask the back office to take this blank kiosk, until an admin has."""
    _log()
    places = _load("kiosk.enrolment.files").Places(state, config, run)
    if places.lane_toml.exists():
        typer.echo("this kiosk is a lane already: nothing to ask for")
        return
    settings_module = _load("kiosk.settings")
    try:
        loaded = _load("kiosk.fleet_settings").load(fleet)
    except settings_module.ConfigError as error:
        _fail(str(error))
    if not loaded.office:
        # Not a failure: a kiosk without a fleet is one as well.
        typer.echo(f"{fleet} names no office: this kiosk has no fleet to ask")
        return
    process = _load("kiosk.enrolment.process")
    release = _release()
    enroller = process.Enroller(loaded, places, release)
    process.run(enroller, _until_stopped(), SystemRandom())


@app.command()
def backoffice(
    folder: Annotated[
        Path, typer.Option(help="Where database, key and catalogue are kept.")
    ] = Path("var/office"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; loopback unless told.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on.", min=1, max=65535)
    ] = 8080,
    store: Annotated[str, typer.Option(help="The store's name on the pages.")] = (
        "Stillopen"
    ),
    enrol_token: Annotated[
        str,
        typer.Option(
            help="New lanes that know this word are taken; empty: none is.",
            envvar="STILLOPEN_ENROL_TOKEN",
        ),
    ] = "",
    catalog: Annotated[
        Path | None, typer.Option(help="A CSV file to make the catalogue from.")
    ] = None,
    refuse_bad_rows: Annotated[
        bool,
        typer.Option(
            "--refuse-bad-rows",
            help="Load nothing of a CSV file with a bad row, instead of the others.",
        ),
    ] = False,
) -> None:
    """Serve the store's back office: intake, catalogue, lanes and sales on a page."""
    _log(logging.WARNING)
    office = _office("kiosk.backoffice.app")
    typer.echo(f"back office at http://{host}:{port}")
    office.serve(
        host,
        port,
        office.OfficeSettings(
            folder=folder,
            enrol_token=enrol_token,
            store_name=store,
            catalog_csv=catalog,
            refuse_bad_rows=refuse_bad_rows,
        ),
    )


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def fleet(context: typer.Context) -> None:
    """Enrol kiosks, see who runs what, publish releases, fetch logs."""
    # Loaded when asked for: it brings the back office's libraries, which no lane has
    # to wait for.
    commands = typer.main.get_command(_office("kiosk.fleet.commands").fleet)
    commands.main(context.args, prog_name="kiosk fleet")


@updater.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def poll(context: typer.Context) -> None:
    """Look for newer releases, and bring them to the updater's inbox."""
    polling = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=_MARKUP
    )
    polling.command()(_load("kiosk.updater.poll_command").poll)
    typer.main.get_command(polling).main(context.args, prog_name="kiosk updater poll")


@app.command()
def decode(
    files: Annotated[list[Path], typer.Argument(help="Pictures to read.")],
    json: Annotated[
        bool, typer.Option("--json", help="One JSON line for each picture.")
    ] = False,
) -> None:
    """Say which codes the camera scanner reads in pictures."""
    commands = _load("hardware.scanner.commands")
    for decoded in commands.decode_files(files):
        words = commands.as_json_line(decoded) if json else commands.as_words(decoded)
        typer.echo(words)
