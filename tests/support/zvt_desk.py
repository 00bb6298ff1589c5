"""A ZVT terminal's process with its store, and the driver a lane would have."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hardware.ports import Attempt
from hardware.simulated.control import LOOPBACK, RemoteBench
from hardware.simulated.frames import read_port_file
from hardware.simulated.launch import start_terminal
from hardware.terminal.zvt import Profile, ZvtTerminal
from hardware.terminal.zvt_commands import Password
from hardware.terminal.zvt_dialogue import Timers
from hardware.terminal.zvt_link import SerialLink, TcpLink

TERMINAL_ID = "29001006"


class ZvtDesk:
    """A simulated terminal that speaks ZVT on a real wire."""

    def __init__(self, folder: Path, wire: str = "zvt") -> None:
        self.folder = folder
        self.wire = wire
        self.port_file = folder / "terminal.port"
        self.store = folder / "terminal.db"
        self.bench = RemoteBench(self.port_file)
        self.process: subprocess.Popen[str] | None = None
        self.driver = self.make_driver()

    def make_driver(self, **profile: Any) -> ZvtTerminal:
        given = {
            "timers": Timers(answer_seconds=5, dialogue_seconds=2),
            "idle_apart_seconds": 0.0,
            "answers_apart_seconds": 0.0,
            "watch_seconds": 0.05,
            **profile,
        }
        return ZvtTerminal(self._connect, Profile(Password("123456"), **given))

    def _connect(self) -> TcpLink | SerialLink:
        where = read_port_file(self.port_file)
        if where.tty:
            return SerialLink(where.tty, 9600)
        return TcpLink(LOOPBACK, where.port)

    def start(self, *extra: str) -> None:
        self.port_file.unlink(missing_ok=True)
        words = ["--wire", self.wire, "--step-ms", "0", "--card-ms", "20000", *extra]
        self.process = start_terminal(self.port_file, self.store, words)

    def kill(self) -> None:
        """SIGKILL: the terminal loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def tell(self, do: str, **details: object) -> Any:
        return self.bench.tell("terminal", do, **details)

    def attempt(self, name: str, minor: int) -> Attempt:
        mark = self.driver.watermark()
        assert mark is not None
        return Attempt(name, minor, "EUR", mark)

    def ledger(self) -> list[dict[str, Any]]:
        ledger = self.tell("ledger")
        assert isinstance(ledger, list)
        return ledger

    def kept_minor(self) -> int:
        """Sum what shoppers paid, as the terminal's own ledger has it."""
        return sum(
            kept["result"]["amount_minor"]
            for kept in self.ledger()
            if kept["state"] == "approved" and kept["kind"] == "payment"
        )
