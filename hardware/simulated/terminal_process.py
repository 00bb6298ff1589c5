"""The simulated card terminal: a process with a store of its own.

    python -m hardware.simulated.terminal_process --store FILE --port-file F
        [--terminal-id ID] [--auto-present-ms N] [--auto-reverse]
        [--card-ms N] [--ack-ms N] [--step-ms N]

It lives on when the lane dies, and its store lives on when it dies itself. The
lane's words are described in `terminal_wire`; the bench tells it through its
control port (device `terminal`): present_card, present_automatically,
fail_next, fail_next_undo, auto_reverse, unplug, silence, speak, ledger,
wait_for, stop.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hardware.simulated.control import (
    LOOPBACK,
    Control,
    ControlServer,
    SimulatedBench,
)
from hardware.simulated.frames import PortFile, frame, split, write_port_file
from hardware.simulated.terminal_core import Drop, Said, TerminalCore
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import SqliteStore, Transaction
from hardware.simulated.terminal_wire import (
    Confirmed,
    Moment,
    Pay,
    Refused,
    Result,
    ToTerminal,
)

# How often a control that waits for a payment looks again.
LOOK_SECONDS = 0.02


class TerminalProcess:
    """Serves one terminal core on loopback. One loop; a lock lets controls in."""

    def __init__(self, core: TerminalCore) -> None:
        self._core = core
        self._turn = threading.Condition(threading.RLock())
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._ear = selectors.DefaultSelector()
        self._ear.register(self._listener, selectors.EVENT_READ)
        self._ear.register(self._bell, selectors.EVENT_READ)
        self._rest: dict[socket.socket, bytes] = {}
        self._payers: dict[str, socket.socket] = {}
        self._unplugged_until = 0.0
        self._is_silent = False
        self._stopped = False

    @property
    def port(self) -> int:
        """Where the lane finds it."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
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

    def run(self) -> None:
        """Serve until stopped."""
        while not self._stopped:
            with self._turn:
                due = self._core.next_due
            wait = None if due is None else max(0.0, due - time.monotonic())
            ready = self._ear.select(wait)
            with self._turn:
                for key, _ in ready:
                    self._attend(key.fileobj)
                for said in self._core.advance(time.monotonic()):
                    self._say_to_payer(said)
                self._turn.notify_all()

    def _attend(self, end: object) -> None:
        if end is self._bell:
            self._bell.recv(64)
        elif end is self._listener:
            self._welcome()
        elif isinstance(end, socket.socket) and end in self._rest:
            self._listen(end)

    def _welcome(self) -> None:
        link, _ = self._listener.accept()
        if time.monotonic() < self._unplugged_until:
            link.close()
            return
        link.setblocking(False)
        self._rest[link] = b""
        self._ear.register(link, selectors.EVENT_READ)

    def _listen(self, link: socket.socket) -> None:
        try:
            received = link.recv(65536)
            bodies, self._rest[link] = split(self._rest[link] + received)
            words = [msgspec.json.decode(body, type=ToTerminal) for body in bodies]
        except (OSError, msgspec.DecodeError):
            self._hang_up(link)
            return
        for word in words:
            if isinstance(word, Pay):
                self._payers[word.attempt.attempt_id] = link
            for said in self._core.handle(time.monotonic(), word):
                if isinstance(said, Moment | Result):
                    # Of a payment: to its own link, whoever asked (a cancel).
                    self._say_to_payer(said)
                else:
                    self._say(link, said)
        if not received:
            self._hang_up(link)

    def _say_to_payer(self, said: Said) -> None:
        if isinstance(said, Moment | Result | Confirmed | Refused | Drop):
            link = self._payers.get(said.attempt_id)
            if link is not None or isinstance(said, Drop):
                self._say(link, said)

    def _say(self, link: socket.socket | None, said: Said) -> None:
        if isinstance(said, Drop):
            if link is not None:
                self._hang_up(link)
            self._unplug(said.seconds)
        elif link is not None and link in self._rest and not self._is_silent:
            try:
                link.sendall(frame(msgspec.json.encode(said)))
            except OSError:
                self._hang_up(link)

    def _unplug(self, seconds: float) -> None:
        if seconds > 0:
            self._unplugged_until = time.monotonic() + seconds
            for link in list(self._rest):
                self._hang_up(link)

    def _hang_up(self, link: socket.socket) -> None:
        if link in self._rest:
            del self._rest[link]
            self._ear.unregister(link)
            link.close()
        for attempt_id in [a for a, it in self._payers.items() if it is link]:
            del self._payers[attempt_id]


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def main() -> None:
    """Run the terminal until it is told to stop or is killed."""
    words = argparse.ArgumentParser(description="A card terminal that takes no cards")
    words.add_argument("--store", type=Path, required=True)
    words.add_argument("--port-file", type=Path, required=True)
    words.add_argument("--terminal-id", default=TerminalSettings().terminal_id)
    words.add_argument("--auto-present-ms", type=int)
    words.add_argument("--auto-reverse", action="store_true")
    words.add_argument("--card-ms", type=int, default=60_000)
    words.add_argument("--ack-ms", type=int, default=15_000)
    words.add_argument("--step-ms", type=int, default=200)
    asked = words.parse_args()
    settings = TerminalSettings(
        terminal_id=asked.terminal_id,
        auto_reverse=asked.auto_reverse,
        card_seconds=asked.card_ms / 1000,
        ack_seconds=asked.ack_ms / 1000,
        step_seconds=asked.step_ms / 1000,
        present_after_seconds=_seconds(asked.auto_present_ms),
    )
    asked.store.parent.mkdir(parents=True, exist_ok=True)
    terminal = TerminalProcess(TerminalCore(SqliteStore(asked.store), settings))
    bench = SimulatedBench()
    bench.add("terminal", terminal)
    control = ControlServer(bench)
    write_port_file(asked.port_file, PortFile(terminal.port, control.port))
    print("ready", flush=True)
    terminal.run()
    control.close()


if __name__ == "__main__":
    main()
