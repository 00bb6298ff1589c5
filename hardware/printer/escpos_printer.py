"""Drives any ESC/POS receipt printer, over whatever wire it is given.

Never prints half a receipt in silence: it asks the printer before and after,
waits until the last line is on paper, and raises `PrinterTrouble` otherwise.
The caller then prints the whole again, marked as a copy; what the paper shows of the
broken one is cut off before it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from hardware.ports import DeviceState, Health, PrinterTrouble, PrintRow
from hardware.printer.compose import CUT, INITIALIZE, Model, compose
from hardware.printer.picture import NoPicture, logo
from hardware.printer.status import (
    DLE_EOT,
    PAPER_STATUS_IN_ORDER,
    PUSH_STATUS,
    REAL_TIME_QUESTIONS,
    WHO_ARE_YOU,
    Answers,
    InOrder,
    PrinterStatus,
    Pushed,
    RealTime,
    Words,
    read_status,
)
from hardware.printer.wires import Wire

log = logging.getLogger(__name__)

# An attendant who closed the cover expects the lane to know within a few seconds.
WATCH_SECONDS = 3.0
# How long the wire is held to overhear what a printer tells by itself, and how long it is
# left to who wants to print.
OVERHEAR_SECONDS = 0.1
BETWEEN_SECONDS = 0.02
# Printers answer DLE EOT within milliseconds; network adapters take longer.
ANSWER_SECONDS = 1.0
# Two metres of paper at 100 mm/s, the slowest printers sold.
FINISH_SECONDS = 20.0
# A piece is small against any printer's buffer, so a stall is noticed early.
PIECE_BYTES = 1024
# `DLE DC4 8 ...`: forget what is buffered, so that the rest of a lost receipt
# does not come out when the paper is changed.
FORGET_BUFFER = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"


class EscposPrinter:
    """One receipt printer, found again for as long as it is open."""

    def __init__(
        self,
        connect: Callable[[], Wire],
        model: Model,
        logo_file: Path | None = None,
        pushes_status: bool = True,
        watch_seconds: float = WATCH_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        self._connect = connect
        self._model = model
        self._logo_file = logo_file
        self._pushes_status = pushes_status
        self._watch_seconds = watch_seconds
        self._answer_seconds = answer_seconds
        self._finish_seconds = finish_seconds
        self._wire: Wire | None = None
        self._answers = Answers()
        self._heard_in_order = False
        self._has_pushed = False
        # None: not yet asked on this connection.
        self._identity: str | None = None
        self._words: list[str] = []
        # Part of a receipt is, or may be, on the paper and in the printer's memory.
        self._is_broken_off = False
        self._in_use = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._emit: Callable[[DeviceState], None] = lambda state: None
        self._told: DeviceState | None = None

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Start watching paper and cover; returns at once."""
        self._emit = emit
        self._told = None
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._watch, name="printer-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Release the device."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._in_use:
            self._hang_up()

    def print(self, rows: Sequence[PrintRow]) -> None:
        """Print all rows. Blocks; raises `PrinterTrouble` when any is missing."""
        data = compose(rows, self._model, self._logo())
        with self._in_use:
            try:
                wire = self._connected()
                self._require_ready(wire)
                if self._is_pushing(wire):
                    # `ESC @`, with which data begins, ends the pushing.
                    data = data.replace(INITIALIZE, INITIALIZE + PUSH_STATUS, 1)
                if self._is_broken_off:
                    wire.write(FORGET_BUFFER)
                    data = INITIALIZE + CUT + data
                self._is_broken_off = True
                for start in range(0, len(data), PIECE_BYTES):
                    wire.write(data[start : start + PIECE_BYTES])
                self._wait_for_paper(wire)
                self._is_broken_off = False
            except OSError as error:
                self._abandon()
                words = str(error) or type(error).__name__
                if not isinstance(error, PrinterTrouble):
                    self._tell(DeviceState(Health.ABSENT, words))
                raise PrinterTrouble(words) from error

    def _logo(self) -> Image.Image | None:
        if self._logo_file is None:
            return None
        try:
            return logo(self._logo_file, self._model.dots)
        except NoPicture as trouble:
            log.warning("printed without the logo: %s", trouble)
            return None

    def _is_pushing(self, wire: Wire) -> bool:
        return self._pushes_status and wire.answers

    def _require_ready(self, wire: Wire) -> None:
        if not wire.answers:
            return
        status = self._ask(wire)
        if status is None:
            raise OSError("printer does not answer")
        self._tell_status(status)
        if status.trouble:
            raise PrinterTrouble(status.trouble)

    def _wait_for_paper(self, wire: Wire) -> None:
        """Return when everything is on paper, raise when it will not be."""
        if not wire.answers:
            return
        self._heard_in_order = False
        wire.write(PAPER_STATUS_IN_ORDER)
        until = time.monotonic() + self._finish_seconds
        while not self._heard_in_order:
            self._listen(wire, self._answer_seconds)
            self._require_ready(wire)
            if time.monotonic() > until:
                # Well, listening, and silent to `GS r`: a printer without it.
                log.warning("the printer does not confirm; taken as printed")
                return

    def _watch(self) -> None:
        while not self._stop.is_set():
            with self._in_use:
                self._tell(self._look())
            if self._has_pushed:
                self._overhear()
            else:
                self._stop.wait(self._watch_seconds)

    def _overhear(self) -> None:
        """Hear at once what the printer tells by itself, until it is time to ask."""
        until = time.monotonic() + self._watch_seconds
        while time.monotonic() < until and not self._stop.wait(BETWEEN_SECONDS):
            with self._in_use:
                if self._wire is None:
                    return
                try:
                    self._listen(self._wire, OVERHEAR_SECONDS)
                except OSError as error:
                    self._hang_up()
                    self._tell(DeviceState(Health.ABSENT, str(error)))
                    return

    def _look(self) -> DeviceState:
        try:
            wire = self._connected()
            if not wire.answers:
                return DeviceState(Health.READY)
            status = self._ask(wire)
            if status is not None and not status.trouble and self._identity is None:
                self._identity = self._ask_who(wire)
        except OSError as error:
            self._hang_up()
            return DeviceState(Health.ABSENT, str(error))
        if status is None:
            self._hang_up()
            return DeviceState(Health.ABSENT, "printer does not answer")
        return self._state(status)

    def _tell_status(self, status: PrinterStatus) -> None:
        state = self._state(status)
        # The first time, READY is told when the printer was asked who it is.
        if state.health is not Health.READY or self._identity is not None:
            self._tell(state)

    def _state(self, status: PrinterStatus) -> DeviceState:
        state = status.state
        if state.health is Health.READY and self._identity:
            return DeviceState(Health.READY, self._identity)
        return state

    def _ask_who(self, wire: Wire) -> str:
        """Return maker, model and firmware, or nothing from a printer without `GS I`."""
        self._words.clear()
        wire.write(WHO_ARE_YOU)
        until = time.monotonic() + self._answer_seconds
        while len(self._words) < 3 and time.monotonic() < until:
            self._listen(wire, self._answer_seconds)
        if len(self._words) < 3:
            return " ".join(self._words)
        maker, model, firmware = self._words[:3]
        return f"{maker} {model}, firmware {firmware}"

    def _ask(self, wire: Wire) -> PrinterStatus | None:
        answers = {}
        for question in REAL_TIME_QUESTIONS:
            wire.write(DLE_EOT + bytes([question]))
            until = time.monotonic() + self._answer_seconds
            while question not in answers and time.monotonic() < until:
                for byte in self._listen(wire, self._answer_seconds):
                    answers[question] = byte
            if question not in answers:
                return None
        return read_status(answers)

    def _listen(self, wire: Wire, seconds: float) -> bytes:
        """Return the real-time answers heard; note, and tell, what else came."""
        asked = bytearray()
        for answer in self._answers.feed(wire.read(seconds)):
            match answer:
                case RealTime(byte):
                    asked.append(byte)
                case InOrder():
                    self._heard_in_order = True
                case Pushed(status):
                    self._has_pushed = True
                    self._tell_status(status)
                case Words(text):
                    self._words.append(text)
        return bytes(asked)

    def _connected(self) -> Wire:
        if self._wire is None:
            wire = self._connect()
            self._answers = Answers()
            self._has_pushed = False
            self._identity = None
            self._wire = wire
            if self._is_pushing(wire):
                wire.write(PUSH_STATUS)
        return self._wire

    def _abandon(self) -> None:
        """Make the printer forget what it holds, as far as it still listens."""
        if self._wire is not None and self._wire.answers:
            try:
                self._wire.write(FORGET_BUFFER)
            except OSError:
                pass
        self._hang_up()

    def _hang_up(self) -> None:
        if self._wire is not None:
            try:
                self._wire.close()
            except OSError:
                pass
            self._wire = None

    def _tell(self, state: DeviceState) -> None:
        if state != self._told:
            self._told = state
            if state.health is not Health.READY:
                log.warning("printer: %s", state.detail)
            self._emit(state)
