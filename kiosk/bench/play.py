"""A whole shop on one machine: back office, sync, simulated devices, one lane, each
a process of its own, so that any of them can be killed while the others live on.

Everything is kept under one folder and listens on loopback only.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import msgspec
import requests

from hardware.simulated.camera import SimulatedCamera
from hardware.simulated.control import RemoteBench
from hardware.simulated.nut_process import PASSWORD as NUT_PASSWORD
from hardware.simulated.scanner import SimulatedScanner
from kiosk.backoffice.app import server_key
from kiosk.bench.cable import Cable
from kiosk.bench.window import WindowClient
from kiosk.records.documents import Attendant, Documents, sign_roster
from kiosk.records.keys import device_secret, load_public_key
from kiosk.records.pins import hash_pin

SHOP = Path(__file__).parent / "shop"
LANE_ID = "lane-1"
ENROL_TOKEN = "play-only"  # noqa: S105  # opens a loopback back office made to play with
START_SECONDS = 60.0
# ZVT's usual factory password.
_TERMINAL_PASSWORD = "123456"  # noqa: S105  # of a terminal made to play with

# Who works in the shop that is played: number, name, PIN, roles. Play only.
STAFF = (
    ("100", "Ana", "271828", ("approve", "void", "price", "settle", "close")),
    ("200", "Ben", "314159", ("approve",)),
    (
        "900",
        "Tess",
        "161803",
        ("approve", "void", "price", "settle", "close", "technician"),
    ),
)


class PlayError(Exception):
    """The shop, or a part of it, did not start. The words say which, and why."""


class PlayOptions(msgspec.Struct, frozen=True):
    """How the shop is set up. `limits` are the lane's, changed for this play."""

    folder: Path
    landscape: bool = False
    office_port: int = 0
    limits: dict[str, float] = {}


class Part:
    """One process of the shop, with its log."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it writes goes to its log."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Pull its plug: SIGKILL, nothing is told."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._end(signal.SIGTERM)

    def wait(self, seconds: float) -> int | None:
        """Wait for its own end; return its exit status, or None in vain."""
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def must_run(self) -> None:
        """Raise `PlayError`, with the end of its log, when it has ended."""
        if not self.is_running:
            tail = self.log.read_text(errors="replace").splitlines()[-12:]
            lines = "\n".join(tail)
            raise PlayError(f"{self.name} ended; its log is {self.log}:\n{lines}")

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, number)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Shop:
    """The parts, and what a shopper, an attendant and a clumsy electrician may do."""

    def __init__(self, options: PlayOptions) -> None:
        folder = options.folder.resolve()
        self.folder = folder
        self._lock = _own(folder)
        self.state = folder / LANE_ID
        self.receipts = folder / "receipts"
        self.settings = folder / "lane.toml"
        logs = folder / "logs"
        for made in (self.state, self.receipts, logs, folder / "pictures"):
            made.mkdir(parents=True, exist_ok=True)
        self.office_port = options.office_port or _free_port()
        self.office_url = f"http://127.0.0.1:{self.office_port}"
        self.cable = Cable(self.office_port)
        self.sync_url = f"http://127.0.0.1:{self.cable.port}"
        self.scanner = SimulatedScanner(folder / "scanner")
        self.camera = SimulatedCamera(folder / "pictures")
        self.window = WindowClient(self.state / "bench.sock")
        self.printer = RemoteBench(folder / "printer.json")
        self.terminal = RemoteBench(folder / "terminal.json")
        self.ups = RemoteBench(folder / "ups.json")
        self.printer_port = _free_port()
        self.terminal_port = _free_port()
        self.ups_port = _free_port()
        self._write_settings(options)
        self._write_roster()
        kiosk = [sys.executable, "-m", "kiosk"]
        module = [sys.executable, "-m"]
        lane = [*kiosk, "run", "--settings", str(self.settings)]
        self.parts = {
            "printer": Part(
                "printer",
                [
                    *module,
                    "hardware.simulated.printer",
                    *("--port-file", str(folder / "printer.json")),
                    *("--out", str(self.receipts)),
                    *("--port", str(self.printer_port)),
                ],
                logs / "printer.log",
            ),
            "terminal": Part(
                "terminal",
                [
                    *module,
                    "hardware.simulated.terminal_process",
                    *("--port-file", str(folder / "terminal.json")),
                    *("--store", str(folder / "terminal.db")),
                    *("--wire", "zvt"),
                    *("--port", str(self.terminal_port)),
                ],
                logs / "terminal.log",
            ),
            "ups": Part(
                "ups",
                [
                    *module,
                    "hardware.simulated.nut_process",
                    *("--folder", str(folder / "nut")),
                    *("--port", str(self.ups_port)),
                    *("--port-file", str(folder / "ups.json")),
                ],
                logs / "ups.log",
            ),
            "office": Part(
                "office",
                [
                    *kiosk,
                    "backoffice",
                    *("--folder", str(folder / "office")),
                    *("--port", str(self.office_port)),
                    *("--enrol-token", ENROL_TOKEN),
                    *("--catalog", str(SHOP / "catalog.csv")),
                ],
                logs / "office.log",
            ),
            "sync": Part(
                "sync",
                [*kiosk, "sync", "--settings", str(self.settings)],
                logs / "sync.log",
            ),
            "lane": Part(
                "lane",
                [*lane, "--bench", str(self.state / "bench.sock")],
                logs / "lane.log",
            ),
        }

    def start(self) -> None:
        """Start all parts, in an order in which each finds what it needs."""
        self.scanner.plug()
        for name in ("printer", "terminal", "ups"):
            (self.folder / f"{name}.json").unlink(missing_ok=True)
            self.parts[name].start()
        self.parts["office"].start()
        for name in ("printer", "terminal", "ups"):
            self._await(name, (self.folder / f"{name}.json").exists)
        self._commission()
        self._await("office", self._office_answers)
        self.start_lane()
        self.parts["sync"].start()

    def _commission(self) -> None:
        """Let the terminal prove itself, as a technician does before the first sale."""
        documents = Documents(self.state / "documents")
        if "terminal" in documents.device_choices():
            return
        self.terminal.tell("terminal", "present_automatically", after_ms=0)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "kiosk", "devices", "commission", "terminal"),
                *("--settings", str(self.settings)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.terminal.tell("terminal", "present_automatically", after_ms=None)
        if done.returncode != 0:
            raise PlayError(f"the terminal was not commissioned: {done.stderr.strip()}")

    def start_lane(self) -> None:
        """Start the lane and wait for its screen."""
        self.parts["lane"].start()
        self._await("lane", self.window.is_ready)

    def stop(self) -> None:
        """Stop all parts, the lane first."""
        for name in ("lane", "sync", "office", "ups", "terminal", "printer"):
            self.parts[name].stop()
        self.scanner.unplug()
        self.cable.close()
        self._lock.close()

    def _await(self, name: str, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not is_there():
            self.parts[name].must_run()
            if time.monotonic() > deadline:
                log = self.parts[name].log
                raise PlayError(f"{name} is not ready after a minute; its log is {log}")
            time.sleep(0.05)

    def _office_answers(self) -> bool:
        try:
            return requests.get(self.office_url, timeout=1).status_code < 500
        except requests.RequestException:
            return False

    def _write_settings(self, options: PlayOptions) -> None:
        server_key(self.folder / "office")
        (self.folder / "ups.password").write_text(f"{NUT_PASSWORD}\n")
        (self.folder / "terminal.password").write_text(f"{_TERMINAL_PASSWORD}\n")
        width, height, diagonal = (
            (1920, 1080, 15.6) if options.landscape else (1080, 1920, 21.5)
        )
        limits = "\n".join(
            f"{name} = {value}" for name, value in options.limits.items()
        )
        text = (SHOP / "lane.toml").read_text(encoding="utf-8")
        words = {
            "lane_id": LANE_ID,
            "state_dir": str(self.state),
            "catalog": str(SHOP / "catalog.csv"),
            "server_url": self.sync_url,
            "receipt_url": self.office_url,
            "server_key": str(self.folder / "office" / "server.pub"),
            "enrol_token": ENROL_TOKEN,
            "width_px": str(width),
            "height_px": str(height),
            "diagonal_inches": str(diagonal),
            "scanner": str(self.scanner.link),
            "pictures": self.camera.source,
            "printer_port": str(self.printer_port),
            "terminal_port": str(self.terminal_port),
            "ups_port": str(self.ups_port),
            "ups_password": str(self.folder / "ups.password"),
            "terminal_password": str(self.folder / "terminal.password"),
            "limits": limits,
        }
        for word, value in words.items():
            text = text.replace("{" + word + "}", value)
        self.settings.write_text(text, encoding="utf-8")

    def _write_roster(self) -> None:
        key = server_key(self.folder / "office")
        public = load_public_key(self.folder / "office" / "server.pub")
        (self.state / "documents").mkdir(exist_ok=True)
        documents = Documents(self.state / "documents")
        if documents.load_roster(public) is not None:
            return
        secret = device_secret(self.state / "device.secret")
        staff = tuple(
            Attendant(number, name, roles, hash_pin(secret, pin))
            for number, name, pin, roles in STAFF
        )
        documents.save_roster(sign_roster(1, staff, key), public)


def _own(folder: Path) -> IO[bytes]:
    # Two shops in one folder would pull each other's plugs and overwrite each
    # other's settings. The lock ends with its process, however that ends.
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "shop.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise PlayError(
            f"a shop is already open in {folder}; stop it first, or choose "
            "another --folder"
        ) from error
    return lock


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
