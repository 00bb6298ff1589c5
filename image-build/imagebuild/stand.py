"""A booted machine with its shop: what `tests/image/lane.toml` is written for.

The devices are the simulators that the lane's other tests use, on the machine's own
USB serial cables, its keyboard, its touch and its two networks: the shop's, with back
office and release server, and the card terminal's own cable. Knows nothing of what the
lane inside does but what its screen shows and its devices and its office were told.
"""

from __future__ import annotations

import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from PIL import Image

from hardware.simulated import launch
from hardware.simulated.control import RemoteBench
from hardware.simulated.frames import read_port_file
from hardware.simulated.megatec import Megatec
from imagebuild.machine import Machine
from kiosk.backoffice.app import OfficeSettings
from kiosk.backoffice.serving import Serving

CABLE = Path(__file__).with_name("cable.py")
# As ansible/group_vars/all.yml and the tests' lane.toml have them.
RELEASES = "tcp:10.0.2.101:8081"
OFFICE = "tcp:10.0.2.102:8443"
TERMINAL = "tcp:10.0.3.100:20007"
SCREEN = (1024, 768)
# What QEMU calls the UPS's cable.
UPS_CABLE = "ups-cable"
_KEYS = {**{str(n): str(n) for n in range(10)}, "\n": "ret", "-": "minus"}


class Stand:
    """A machine, its shop, and a hand that scans, taps and pulls plugs.

    `goods` is the office's catalogue (CSV). In a folder where another stand was closed
    it goes on where that one stopped. With `is_shared`, somebody else can join the shop's
    network: frames that he sends to `segment`, one a datagram, go to all, and all frames
    go to `stranger`.
    """

    def __init__(
        self,
        disk: Path,
        folder: Path,
        goods: Path | None = None,
        *,
        is_shared: bool = False,
        **machine: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.receipts = folder / "receipts"
        printer, terminal = folder / "printer.port", folder / "terminal.port"
        self._processes = [
            launch.start_printer(printer, self.receipts, ["--pty"]),
            launch.start_terminal(
                terminal, folder / "terminal.store", ["--wire", "zvt"]
            ),
        ]
        self.ups = Megatec(folder / "ups")
        self.printer, self.terminal = RemoteBench(printer), RemoteBench(terminal)
        self._scanner: socket.socket | None = None
        self.releases = folder / "releases"
        self.releases.mkdir(exist_ok=True)
        # What its poller fetched, in order.
        self.fetched: list[str] = []
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0),
            partial(_Releases, fetched=self.fetched, directory=str(self.releases)),
        )
        Thread(target=self._server.serve_forever, daemon=True).start()
        self.office = Serving(OfficeSettings(folder / "office", catalog_csv=goods))
        shop = (
            "user,id=shop,restrict=on"
            f",guestfwd={OFFICE}-cmd:{_relay(self.office.port)}"
            f",guestfwd={RELEASES}-cmd:{_relay(self._server.server_port)}"
        )
        cards = (
            "user,id=cards,net=10.0.3.0/24,restrict=on"
            f",guestfwd={TERMINAL}-cmd:{_relay(read_port_file(terminal).port)}"
        )
        extra: Sequence[str] = [
            *("-chardev", f"socket,id=scan,path={self._scan},server=on,wait=off"),
            *("-device", "usb-serial,chardev=scan,serial=SCAN0001,always-plugged=on"),
            *("-chardev", f"serial,id=prn,path={read_port_file(printer).tty}"),
            *("-device", "usb-serial,chardev=prn,serial=PRNT0001"),
            *("-chardev", f"serial,id=ups,path={(folder / 'ups').resolve()}"),
            *("-device", f"usb-serial,chardev=ups,serial=UPS00001,id={UPS_CABLE}"),
            *("-netdev", shop),
            *("-netdev", "hubport,id=hub-shop,hubid=0,netdev=shop"),
            *("-netdev", "hubport,id=hub-card,hubid=0"),
            *("-device", "virtio-net-pci,netdev=hub-card,id=network"),
            *("-netdev", cards, "-device", "virtio-net-pci,netdev=cards"),
            *(self._street() if is_shared else ()),
            *("-device", "virtio-tablet-pci"),
        ]
        self.machine = Machine(disk, folder / "machine", extra=extra, **machine)

    @property
    def segment(self) -> Path:
        """Where the shop's network takes a stranger's frames."""
        return self.folder / "segment.sock"

    @property
    def stranger(self) -> Path:
        """Where it gives him those of all others."""
        return self.folder / "stranger.sock"

    def _street(self) -> tuple[str, ...]:
        ends = (
            f"local.type=unix,local.path={self.segment}"
            f",remote.type=unix,remote.path={self.stranger}"
        )
        return (
            *("-netdev", f"dgram,id=street,{ends}"),
            *("-netdev", "hubport,id=hub-street,hubid=0,netdev=street"),
        )

    @property
    def _scan(self) -> Path:
        return self.folder / "scan.sock"

    def close(self) -> None:
        """Pull every plug."""
        if self.machine.is_running:
            self.machine.kill()
        self._server.shutdown()
        self.office.close()
        for process in self._processes:
            process.kill()
            process.wait()

    # -- hands -------------------------------------------------------------

    def scan(self, code: str) -> None:
        """Scan with the serial scanner."""
        if self._scanner is None:
            self._scanner = socket.socket(socket.AF_UNIX)
            self._scanner.connect(str(self._scan))
        self._scanner.sendall(code.encode() + b"\r\n")

    def type(self, code: str) -> None:
        """Scan with the scanner that types: the machine's only keyboard."""
        for character in code + "\n":
            key = {"type": "qcode", "data": _KEYS[character]}
            pressed = [_event("key", down=down, key=key) for down in (True, False)]
            self.machine.tell("input-send-event", events=pressed)
            # Scanners are faster yet, but QEMU's keyboard holds sixteen events only.
            time.sleep(0.04)

    def tap(self, x: int, y: int) -> None:
        """Touch the glass there, in pixels from the top left."""
        width, height = SCREEN
        place = [
            _event("abs", axis="x", value=x * 0x7FFF // width),
            _event("abs", axis="y", value=y * 0x7FFF // height),
        ]
        self.machine.tell("input-send-event", events=place)
        for is_down in (True, False):
            press = _event("btn", down=is_down, button="left")
            self.machine.tell("input-send-event", events=[press])
            # A finger stays longer than a ghost (kiosk/ui/touches.py).
            time.sleep(0.2)

    def network(self, is_up: bool) -> None:
        """Pull the shop's network cable, or put it back."""
        self.machine.tell("set_link", name="network", up=is_up)

    # -- eyes --------------------------------------------------------------

    def picture(self, name: str) -> Image.Image:
        """Keep what the screen shows, and return it."""
        with Image.open(self.machine.picture(name)) as image:
            return image.convert("RGB")

    def wait_until_shown(
        self, name: str, is_shown: Callable[[Image.Image], bool], seconds: float
    ) -> float:
        """Wait until a picture is as wanted, keep it, and return the seconds so far."""
        end = time.monotonic() + seconds
        while not is_shown(self.picture(name)):
            if time.monotonic() > end:
                raise TimeoutError(f"{name} was not shown within {seconds:.0f} s")
            # The screen wakes nobody: look again.
            time.sleep(1)
        return self.machine.seconds


def copy(source: Path, target: Path) -> None:
    """Copy the folder of a closed stand: its disk, TPM, office and terminal."""

    def passing(folder: str, names: list[str]) -> list[str]:
        modes = {name: (Path(folder) / name).lstat().st_mode for name in names}
        return [
            name
            for name, mode in modes.items()
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
            or name.endswith((".png", ".log", ".port"))
        ]

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=passing)


class _Releases(SimpleHTTPRequestHandler):
    """A static web server that notes what it is asked for."""

    def __init__(self, *given: Any, fetched: list[str], directory: str) -> None:
        self._fetched = fetched
        super().__init__(*given, directory=directory)

    def log_message(self, *_: object) -> None:
        self._fetched.append(self.path)


def _relay(port: int) -> str:
    return f"{sys.executable} {CABLE} {port}"


def _event(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}
