"""The simulated card terminal: a process with a store of its own.

    python -m hardware.simulated.terminal_process --store FILE --port-file F
        [--wire plain|zvt|zvt_serial|nexo] [--port N] [--terminal-id ID] [--auto-present-ms N]
        [--auto-reverse] [--card-ms N] [--ack-ms N] [--step-ms N]

It lives on when the lane dies, and its store lives on when it dies itself. `plain` are
the words of `terminal_wire`, `zvt` is ZVT over TCP, `zvt_serial` ZVT on a pty and `nexo`
encrypted nexo over HTTPS, with its certificates in a folder beside the store. The bench
tells it through its control port (device `terminal`): present_card,
present_automatically, fail_next, fail_next_undo, auto_reverse, unplug, silence, speak,
ledger, wait_for, stop; with ZVT and nexo also what their fronts have.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import threading
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hardware.simulated.control import (
    LOOPBACK,
    Control,
    ControlServer,
    SimulatedBench,
)
from hardware.simulated.frames import PortFile, write_port_file
from hardware.simulated.https_end import make_certificates
from hardware.simulated.nexo_front import FileBook, NexoFront
from hardware.simulated.terminal_core import Drop, TerminalCore
from hardware.simulated.terminal_fronts import (
    End,
    Front,
    Garbage,
    NexoWire,
    Out,
    PlainFront,
    ZvtWire,
)
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import DayFile, SqliteStore, Transaction
from hardware.simulated.zvt_front import ZvtFront
from hardware.simulated.zvt_words import ZvtBehaviour
from hardware.terminal.nexo_crypto import Key

_ZVT = ("zvt", "zvt_serial")
NEXO_ID = "V400m-347374578"
_TERMINAL_IDS = {"zvt": "29001006", "zvt_serial": "29001006", "nexo": NEXO_ID}
# How often a control that waits for a payment looks again.
LOOK_SECONDS = 0.02


class TerminalProcess:
    """Serves one terminal core. One loop; a lock lets controls in."""

    def __init__(
        self,
        core: TerminalCore,
        front: Front,
        more: Mapping[str, Callable[..., None]] | None = None,
        port: int = 0,
    ) -> None:
        self._core = core
        self._front = front
        self._more = more or {}
        self._turn = threading.Condition(threading.RLock())
        self._listener = socket.create_server((LOOPBACK, port))
        self._listener.setblocking(False)
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._ear = selectors.DefaultSelector()
        self._ear.register(self._listener, selectors.EVENT_READ)
        self._ear.register(self._bell, selectors.EVENT_READ)
        self._ends: set[End] = set()
        self._unplugged_until = 0.0
        self._is_silent = False
        self._stopped = False

    @property
    def port(self) -> int:
        """Where the lane finds it."""
        port: int = self._listener.getsockname()[1]
        return port

    def attach(self, line: End) -> None:
        """Serve a serial line as well."""
        self._ends.add(line)
        self._ear.register(line, selectors.EVENT_READ, line)

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {name: self._in_turn(do) for name, do in self._more.items()} | {
            "present_card": self.present_card,
            "present_automatically": self.present_automatically,
            "fail_next": self.fail_next,
            "fail_next_undo": self.fail_next_undo,
            "auto_reverse": self.auto_reverse,
            "unplug": self.unplug,
            "silence": self.silence,
            "speak": self.speak,
            "ledger": self.ledger,
            "wait_for": self.wait_for,
            "stop": self.stop,
        }

    def present_card(self, wait_seconds: float = 0.0) -> bool:
        """Hold a card to it, waiting until it asks for one; False when it never did."""
        until = time.monotonic() + wait_seconds
        with self._turn:
            while not self._core.present_card(time.monotonic()):
                if not self._turn.wait(max(0.0, until - time.monotonic())):
                    return False
            self._rope.send(b"!")
            return True

    def present_automatically(self, after_ms: int | None) -> None:
        """Let cards come by themselves from the next payment on; None: no longer."""
        with self._turn:
            self._core.present_automatically(_seconds(after_ms))

    def fail_next(self, fault: str, ms: int = 0, minor: int | None = None) -> None:
        """Let the next card go wrong, by the fault's name."""
        with self._turn:
            self._core.fail_next(Plan(Fault(fault), ms / 1000, minor))

    def fail_next_undo(self, fault: str, ms: int = 0) -> None:
        """Let the next reversal or refund go wrong."""
        with self._turn:
            self._core.fail_next_undo(Plan(Fault(fault), ms / 1000))

    def auto_reverse(self, on: bool) -> None:
        """Reverse results that are not acknowledged, or keep them."""
        with self._turn:
            self._core.auto_reverse(on)

    def unplug(self, ms: int) -> None:
        """Pull the network cable for so long; a payment goes on."""
        with self._turn:
            self._unplug(ms / 1000)
            self._rope.send(b"!")

    def silence(self) -> None:
        """Take links and words, but say nothing, until told to speak."""
        with self._turn:
            self._is_silent = True

    def speak(self) -> None:
        """Say something again; what was not said is not said later."""
        with self._turn:
            self._is_silent = False

    def ledger(self) -> list[Transaction]:
        """Return all transactions: the truth about the money."""
        with self._turn:
            return self._core.ledger()

    def wait_for(self, attempt_id: str, state: str, seconds: float = 5.0) -> bool:
        """Wait until a transaction is in a state (`TxState`); False if it never is."""

        def is_there() -> bool:
            return any(
                it.id == attempt_id and it.state.value == state
                for it in self._core.ledger()
            )

        with self._turn:
            return self._turn.wait_for(is_there, seconds)

    def stop(self) -> None:
        """End the process in good order."""
        with self._turn:
            self._stopped = True
            self._rope.send(b"!")

    def _in_turn(self, do: Callable[..., None]) -> Control:
        def tell(**details: Any) -> None:
            with self._turn:
                do(**details)

        return tell

    def run(self) -> None:
        """Serve until stopped."""
        while not self._stopped:
            with self._turn:
                due = self._core.next_due
            wait = None if due is None else max(0.0, due - time.monotonic())
            ready = self._ear.select(wait)
            with self._turn:
                for key, _ in ready:
                    self._attend(key.fileobj, key.data)
                for said in self._core.advance(time.monotonic()):
                    self._send(self._front.say(said))
                self._turn.notify_all()

    def _attend(self, ready: object, end: End | None) -> None:
        if ready is self._bell:
            self._bell.recv(64)
        elif ready is self._listener:
            self._welcome()
        elif end is not None and end in self._ends:
            self._listen(end)

    def _welcome(self) -> None:
        link, _ = self._listener.accept()
        if time.monotonic() < self._unplugged_until:
            link.close()
            return
        link.setblocking(False)
        self._ends.add(link)
        self._ear.register(link, selectors.EVENT_READ, link)

    def _listen(self, end: End) -> None:
        try:
            received = end.recv(65536)
            self._send(self._front.hear(time.monotonic(), end, received))
        except (OSError, Garbage):
            self._hang_up(end)
            return
        if not received:
            self._hang_up(end)

    def _send(self, out: list[Out]) -> None:
        for end, what in out:
            if isinstance(what, Drop):
                if end is not None:
                    self._hang_up(end)
                self._unplug(what.seconds)
            elif end in self._ends and not self._is_silent:
                try:
                    end.sendall(what)
                except OSError:
                    self._hang_up(end)

    def _unplug(self, seconds: float) -> None:
        if seconds > 0:
            self._unplugged_until = time.monotonic() + seconds
            for end in list(self._ends):
                self._hang_up(end)

    def _hang_up(self, end: End) -> None:
        if end in self._ends and not isinstance(end, SerialLine):
            self._ends.remove(end)
            self._ear.unregister(end)
            end.close()
        self._front.hung_up(end)


class SerialLine:
    """The terminal's end of a pty. It stays when the lane lets go of the other."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.name = os.ttyname(self._slave)

    def fileno(self) -> int:
        """Return what a selector waits on."""
        return self._master

    def recv(self, size: int) -> bytes:
        """Return what came."""
        return os.read(self._master, size)

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        while data:
            data = data[os.write(self._master, data) :]

    def close(self) -> None:
        """Pull the cable for good."""
        os.close(self._master)
        os.close(self._slave)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def main() -> None:
    """Run the terminal until it is told to stop or is killed."""
    words = argparse.ArgumentParser(description="A card terminal that takes no cards")
    words.add_argument("--store", type=Path, required=True)
    words.add_argument("--port-file", type=Path, required=True)
    words.add_argument(
        "--port", type=int, default=0, help="of ZVT; 0: any that is free"
    )
    words.add_argument("--terminal-id")
    words.add_argument("--auto-present-ms", type=int)
    words.add_argument("--auto-reverse", action="store_true")
    words.add_argument("--card-ms", type=int, default=60_000)
    words.add_argument("--ack-ms", type=int, default=15_000)
    words.add_argument("--step-ms", type=int, default=200)
    words.add_argument("--wire", choices=("plain", *_ZVT, "nexo"), default="plain")
    words.add_argument("--passphrase-file", type=Path, help="of nexo")
    words.add_argument("--key-name", default="lane", help="of nexo")
    words.add_argument("--key-version", type=int, default=1, help="of nexo")
    asked = words.parse_args()
    settings = TerminalSettings(
        terminal_id=asked.terminal_id
        or _TERMINAL_IDS.get(asked.wire, TerminalSettings().terminal_id),
        auto_reverse=asked.auto_reverse,
        card_seconds=asked.card_ms / 1000,
        ack_seconds=asked.ack_ms / 1000,
        step_seconds=asked.step_ms / 1000,
        present_after_seconds=_seconds(asked.auto_present_ms),
    )
    asked.store.parent.mkdir(parents=True, exist_ok=True)
    core = TerminalCore(SqliteStore(asked.store), settings)
    line: SerialLine | None = None
    if asked.wire in _ZVT:
        zvt = ZvtFront(core, ZvtBehaviour(), DayFile(asked.store))
        wire = ZvtWire(zvt, is_serial=asked.wire == "zvt_serial")
        terminal = TerminalProcess(core, wire, zvt.controls, asked.port)
        if asked.wire == "zvt_serial":
            line = SerialLine()
            terminal.attach(line)
    elif asked.wire == "nexo":
        passphrase = asked.passphrase_file.read_text().strip()
        key = Key(passphrase, asked.key_name, asked.key_version)
        nexo = NexoFront(core, key, FileBook(asked.store.with_suffix(".services")))
        name = f"{settings.terminal_id}.test.terminal.adyen.com"
        trust = make_certificates(asked.store.with_suffix(".tls"), name)
        terminal = TerminalProcess(
            core, NexoWire(nexo, trust), nexo.controls, asked.port
        )
    else:
        terminal = TerminalProcess(core, PlainFront(core))
    bench = SimulatedBench()
    bench.add("terminal", terminal)
    control = ControlServer(bench)
    tty_name = line.name if line else ""
    write_port_file(asked.port_file, PortFile(terminal.port, control.port, tty_name))
    print("ready", flush=True)
    terminal.run()
    control.close()


if __name__ == "__main__":
    main()
