"""A nexo terminal's process with its store, and the driver a lane would have."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hardware.ports import Attempt
from hardware.simulated.control import LOOPBACK, RemoteBench
from hardware.simulated.frames import read_port_file
from hardware.simulated.launch import start_terminal
from hardware.terminal.nexo import NexoTerminal, Profile
from hardware.terminal.nexo_crypto import Key
from hardware.terminal.nexo_link import Address, HttpsLink

POI_ID = "V400m-347374578"
PASSPHRASE = "Simulated+Lane1"  # noqa: S105 - the simulated terminal's own


class DeskLink:
    """The driver's link to wherever the terminal listens since its newest start."""

    def __init__(self, desk: NexoDesk) -> None:
        self._desk = desk

    def ask(
        self, request: bytes, seconds: float, on_sent: Callable[[], None] | None = None
    ) -> bytes:
        port = read_port_file(self._desk.port_file).port
        link = HttpsLink(replace(self._desk.address, port=port))
        return link.ask(request, seconds, on_sent)


class NexoDesk:
    """A simulated terminal that speaks nexo over HTTPS."""

    def __init__(self, folder: Path) -> None:
        self.port_file = folder / "terminal.port"
        self.store = folder / "terminal.db"
        self.secret = folder / "passphrase"
        self.secret.write_text(PASSPHRASE)
        self.bench = RemoteBench(self.port_file)
        self.process: subprocess.Popen[str] | None = None
        self.address = Address(
            LOOPBACK, POI_ID, self.store.with_suffix(".tls") / "root.pem", "test"
        )
        self.driver = self.make_driver()

    def make_driver(
        self, wall: Callable[[], float] = lambda: 1.8e9, **profile: Any
    ) -> NexoTerminal:
        given = {
            "key": Key(PASSPHRASE, "lane", 1),
            "poi_id": POI_ID,
            "sale_id": "lane-1",
            "pay_seconds": 10.0,
            "answer_seconds": 5.0,
            "answers_apart_seconds": 0.0,
            "watch_seconds": 0.05,
            **profile,
        }
        return NexoTerminal(DeskLink(self), Profile(**given), wall)

    def start(self, *extra: str) -> None:
        self.port_file.unlink(missing_ok=True)
        words = ["--wire", "nexo", "--passphrase-file", str(self.secret)]
        words += ["--step-ms", "0", "--card-ms", "20000", *extra]
        self.process = start_terminal(self.port_file, self.store, words)

    def kill(self) -> None:
        """SIGKILL: the terminal loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def tell(self, do: str, **details: object) -> Any:
        return self.bench.tell("terminal", do, **details)

    def attempt(self, name: str, minor: int, currency: str = "EUR") -> Attempt:
        mark = self.driver.watermark()
        assert mark is not None
        return Attempt(name, minor, currency, mark)

    def ledger(self) -> list[dict[str, Any]]:
        ledger = self.tell("ledger")
        assert isinstance(ledger, list)
        return ledger

    def kept_minor(self) -> int:
        """Sum what shoppers paid, as the terminal's own ledger has it."""
        total = 0
        for kept in self.ledger():
            if kept["state"] == "approved" and kept["kind"] != "reversal":
                sign = 1 if kept["kind"] == "payment" else -1
                total += sign * kept["result"]["amount_minor"]
        return total
