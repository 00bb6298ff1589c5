"""A lane on the test stand: 100,000 items, 50 offers, simulated devices, no office.

What is measured is the lane's own process, started as in a shop. Everything is kept
under one folder; the disk it is on is the disk that is measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from hardware.simulated.scanner import SimulatedScanner
from kiosk.bench.play import START_SECONDS, Part, PlayError
from kiosk.bench.pricing_load import load
from kiosk.bench.window import WindowClient
from kiosk.domain.catalog import Item, Price
from kiosk.domain.gs1 import check_digit
from kiosk.records import catalog_db
from kiosk.ui import environment

ITEMS = 100_000
PANEL = (1080, 1920)
_SHELVES = 20

_SETTINGS = """\
lane_id = "stand"
state_dir = {state_dir}
[store]
name = ["Test stand"]
currency = "EUR"
timezone = "Europe/Berlin"
languages = ["en", "de"]
[tax]
inclusive = true
rates = [
    {{ tax_class = "standard", rate_ppm = 190000, letter = "A" }},
    {{ tax_class = "reduced", rate_ppm = 70000, letter = "B" }},
]
[panel]
width_px = {width}
height_px = {height}
diagonal_inches = 21.5
[devices.scanner]
driver = "serial"
port = {scanner}
[devices.printer]
driver = "simulated"
port_file = {printer}
[devices.terminal]
driver = "simulated"
port_file = {terminal}
"""


def gtin(n: int) -> str:
    """Return the EAN-13 of the stand's item `n`; 952 is GS1's prefix for examples."""
    body = f"952{n:09d}"
    return body + check_digit(body)


def items() -> Iterator[Item]:
    """Yield the stand's items: on shelves that offers run on, all sold by the piece."""
    for n in range(ITEMS):
        yield Item(
            item_id=gtin(n).zfill(14),
            description={"en": f"Item {n} of shelf {n % _SHELVES}", "de": f"Ware {n}"},
            prices=(Price(49 + n * 37 % 900),),
            tax_class="standard" if n % 3 else "reduced",
            department=f"{n % 8}",
            offer_groups=(f"shelf {n % _SHELVES}", f"brand {n % 7}"),
            brand=f"Brand {n % 700}",
        )


def build_catalog(folder: Path) -> Path:
    """Build the catalogue once for all lanes of the run."""
    path = folder / "catalog.db"
    catalog_db.build(path, items(), (), version=1, made_ms=0)
    return path


class Stand:
    """One lane with its devices. `close` it."""

    def __init__(self, folder: Path, catalog: Path) -> None:
        self.folder = folder
        self.state = folder / "lane"
        self.state.mkdir(parents=True)
        self.settings = folder / "lane.toml"
        self.scanner = SimulatedScanner(folder / "scanner")
        self.window = WindowClient(self.state / "bench.sock")
        self._put_catalog(catalog)
        self._write_settings()
        module = [sys.executable, "-m"]
        self._devices = {
            "printer": Part(
                "printer",
                [
                    *(*module, "hardware.simulated.printer"),
                    *("--port-file", str(folder / "printer.json")),
                    *("--out", str(folder / "receipts")),
                ],
                folder / "printer.log",
            ),
            "terminal": Part(
                "terminal",
                [
                    *(*module, "hardware.simulated.terminal_process"),
                    *("--port-file", str(folder / "terminal.json")),
                    *("--store", str(folder / "terminal.db")),
                    # A card that is there at once, and a host without a wire.
                    *("--auto-present-ms", "0", "--step-ms", "0"),
                ],
                folder / "terminal.log",
            ),
        }

    def __enter__(self) -> Stand:
        self.scanner.plug()
        for part in self._devices.values():
            part.start()
        for name, part in self._devices.items():
            port_file = self.folder / f"{name}.json"
            await_part(part, port_file.exists)
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._devices.values():
            part.stop()
        self.scanner.unplug()

    def command(self, module: str, *words: str) -> list[str]:
        """Return the command that runs a module on this lane's settings."""
        return [
            *(sys.executable, "-m", module, *words),
            *("--settings", str(self.settings)),
            *("--bench", str(self.state / "bench.sock")),
        ]

    def _put_catalog(self, catalog: Path) -> None:
        try:
            os.link(catalog, self.state / "catalog.db")
        except OSError:
            shutil.copy(catalog, self.state / "catalog.db")

    def _write_settings(self) -> None:
        offers = msgspec.to_builtins(load()[1].offers)
        text = _SETTINGS.format(
            state_dir=in_toml(str(self.state)),
            width=PANEL[0],
            height=PANEL[1],
            scanner=in_toml(str(self.scanner.link)),
            printer=in_toml(str(self.folder / "printer.json")),
            terminal=in_toml(str(self.folder / "terminal.json")),
        )
        self.settings.write_text(
            f"offers = {in_toml(offers)}\n{text}", encoding="utf-8"
        )


class Talker:
    """A process that is told things line by line and answers in lines of JSON."""

    def __init__(self, command: list[str], log: Path, **extra: str) -> None:
        environment.prepare()
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **extra},
            )

    def tell(self, line: str = "") -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Wait for its next line; `PlayError` with its log when it has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-12:])
            raise PlayError(f"a measured process ended:\n{tail}")
        return msgspec.json.decode(line)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()


def await_part(part: Part, is_there: Callable[[], bool], step: float = 0.02) -> None:
    """Wait until something is there that a part makes."""
    deadline = time.monotonic() + START_SECONDS
    while not is_there():
        part.must_run()
        if time.monotonic() > deadline:
            raise PlayError(f"{part.name} is not ready; its log is {part.log}")
        time.sleep(step)


def in_toml(value: Any) -> str:
    """Write a value in TOML, in line: JSON but for the tables."""
    if isinstance(value, dict):
        pairs = (
            f"{in_toml(str(k))} = {in_toml(v)}"
            for k, v in value.items()
            if v is not None
        )
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(in_toml(one) for one in value) + "]"
    return msgspec.json.encode(value).decode()
