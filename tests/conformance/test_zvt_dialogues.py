"""Whole dialogues of a real terminal, played against the driver.

The player is strict: it sends the terminal's next message only when the one before
was acknowledged, as a terminal does. Seconds of silence are taken away.
"""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from hardware.ports import Attempt, Outcome, TerminalError, Watermark
from hardware.terminal import zvt_apdu
from hardware.terminal.zvt import Profile, ZvtTerminal
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_commands import Password
from hardware.terminal.zvt_dialogue import Timers
from hardware.terminal.zvt_link import TcpLink

DATA = (
    Path(__file__).parents[3] / "shared" / "data" / "terminals" / "zvt_dialogues.json"
)

pytestmark = pytest.mark.skipif(
    not DATA.is_file(), reason=f"the captured dialogues are not there: {DATA}"
)

REGISTERED = Apdu(0x060F, bytes.fromhex("19002929001006490978"))
ENQUIRY = 0x0501


def dialogues() -> list[Any]:
    if not DATA.is_file():
        return []
    found = json.loads(DATA.read_text(encoding="utf-8"))["dialogues"]
    return [pytest.param(one, id=one["id"]) for one in found]


class Player:
    """The terminal's part of one captured dialogue, on a real socket."""

    def __init__(self, events: list[Any], command: int) -> None:
        self._script = [
            Apdu(raw[0] << 8 | raw[1], raw[3:])
            for raw in _terminal_part(events, command)
        ]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard: list[int] = []
        self.faults: list[str] = []
        self._command = command
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        link, _ = self._listener.accept()
        link.settimeout(10)
        with link:
            rest = b""
            waiting: list[Apdu] = []
            while received := link.recv(65536):
                apdus, rest, _ = zvt_apdu.split(rest + received)
                for apdu in apdus:
                    self.heard.append(apdu.control)
                    if apdu.control == 0x0600:
                        waiting = [REGISTERED]
                        link.sendall(Apdu(0x8000).encode())
                    elif apdu.control == self._command:
                        waiting = list(self._script[1:])
                        link.sendall(self._script[0].encode())
                    elif apdu.control != 0x8000:
                        self.faults.append(f"{apdu.control:04X} instead of an answer")
                        return
                    if waiting:
                        link.sendall(waiting.pop(0).encode())

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)


def _terminal_part(events: list[Any], command: int) -> list[bytes]:
    """Return what the terminal said from this command on, enquiries left out."""
    said: list[bytes] = []
    is_on = is_enquiry = False
    for _, who, text in events:
        raw = bytes.fromhex(text)
        control = raw[0] << 8 | raw[1]
        if who == "ECR" and control == command:
            is_on = True
        elif who == "ECR" and control not in (0x8000, command):
            is_enquiry = control == ENQUIRY
            is_on = is_on and is_enquiry
        elif who == "PT" and is_enquiry:
            # 80 00 00 and the completion of the enquiry, not of the payment.
            is_enquiry = control != 0x060F
        elif who == "PT" and is_on:
            said.append(raw)
    return said


# card-terminals.md, section 11.2: what each came to.
PAYMENTS: dict[str, tuple[Outcome, int, TerminalError]] = {
    "cc-G4": (Outcome.APPROVED, 1200, TerminalError.NONE),
    "cc-F10": (Outcome.APPROVED, 1, TerminalError.NONE),
    "cc-G10": (Outcome.APPROVED, 1200, TerminalError.NONE),
    "cc-F15": (Outcome.CANCELLED, 0, TerminalError.NONE),
    "cc-F16": (Outcome.CANCELLED, 0, TerminalError.NONE),
    "cc-G16": (Outcome.CANCELLED, 0, TerminalError.NONE),
    "cc-G18": (Outcome.CANCELLED, 0, TerminalError.NONE),
    "cc-F40": (Outcome.DECLINED, 0, TerminalError.SETTLEMENT_REQUIRED),
}
SETTLEMENTS: dict[str, tuple[Outcome, int | None, int | None]] = {
    "cc-F39": (Outcome.DECLINED, None, None),
    # Its title says three payments; the bytes count the five receipts of the range.
    "cc-G41": (Outcome.APPROVED, 5, 6000),
    "cc-G42": (Outcome.APPROVED, 0, 0),
}


def played(dialogue: Any, command: int) -> tuple[Player, ZvtTerminal]:
    player = Player(dialogue["events"], command)
    driver = ZvtTerminal(
        lambda: TcpLink("127.0.0.1", player.port),
        Profile(
            Password("123456"), charset="latin-1", timers=Timers(dialogue_seconds=5)
        ),
    )
    return player, driver


def first_command(dialogue: Any) -> int:
    for _, who, text in dialogue["events"]:
        if who == "ECR" and not text.startswith("8000"):
            return int(text[:4], 16)
    raise AssertionError("nobody asked the terminal for anything")


def asked_minor(dialogue: Any) -> int:
    for _, who, text in dialogue["events"]:
        if who == "ECR" and text.startswith("0601"):
            return int(text[8:20])
    raise AssertionError("no payment was asked for")


@pytest.mark.parametrize(
    "dialogue",
    [d for d in dialogues() if first_command(d.values[0]) == 0x0601],
)
def test_a_captured_payment_comes_to_what_it_came_to(dialogue, sink_of_payments):
    player, driver = played(dialogue, 0x0601)
    attempt = Attempt("a", asked_minor(dialogue), "EUR", Watermark("29001006", 0, "{}"))
    result = driver.pay(attempt, sink_of_payments)
    driver.close()
    player.close()
    assert player.faults == []
    outcome, minor, error = PAYMENTS[dialogue["id"]]
    assert (result.outcome, result.amount_minor, result.error) == (
        outcome,
        minor,
        error,
    )
    approvals = [result] if outcome is Outcome.APPROVED else []
    assert sink_of_payments.results == approvals


@pytest.mark.parametrize(
    "dialogue",
    [d for d in dialogues() if first_command(d.values[0]) == 0x0650],
)
def test_a_captured_end_of_day_comes_to_what_it_came_to(dialogue):
    player, driver = played(dialogue, 0x0650)
    settled = driver.settle()
    driver.close()
    player.close()
    assert player.faults == []
    expected = SETTLEMENTS[dialogue["id"]]
    assert (settled.outcome, settled.count, settled.sum_minor) == expected


@pytest.mark.parametrize(
    "dialogue",
    [d for d in dialogues() if first_command(d.values[0]) == 0x0600],
)
def test_a_captured_registration_tells_the_terminals_number(dialogue):
    parts = _terminal_part(dialogue["events"], 0x0600)
    assert parts[0] == bytes.fromhex("800000")
    assert parts[1] == REGISTERED.encode()


class Sink:
    """A lane whose disk is always quick."""

    def __init__(self) -> None:
        self.results: list[Any] = []

    def moment(self, moment: Any) -> None:
        """Look away."""

    def result(self, result: Any) -> bool:
        self.results.append(result)
        return True


@pytest.fixture
def sink_of_payments() -> Sink:
    return Sink()
