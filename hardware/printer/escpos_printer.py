"""Drives any ESC/POS receipt printer, over whatever wire it is given.

Never prints half a receipt in silence: it asks the printer before and after,
waits until the last line is on paper, and raises `PrinterTrouble` otherwise.
The caller then prints the whole again, marked as a copy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from hardware.ports import DeviceState, Health, PrinterTrouble, PrintRow
from hardware.printer.compose import compose
from hardware.printer.status import (
    DLE_EOT,
    PAPER_STATUS_IN_ORDER,
    REAL_TIME_QUESTIONS,
    PrinterStatus,
    is_in_order_answer,
    is_real_time_answer,
    read_status,
)
from hardware.printer.wires import Wire

log = logging.getLogger(__name__)

# An attendant who closed the cover expects the lane to know within a few seconds.
WATCH_SECONDS = 3.0
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
        width: int,
        watch_seconds: float = WATCH_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        self._connect = connect
        self._width = width
        self._watch_seconds = watch_seconds
        self._answer_seconds = answer_seconds
        self._finish_seconds = finish_seconds
        self._wire: Wire | None = None
        self._heard_in_order = False
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
        data = compose(rows, self._width)
        with self._in_use:
            try:
                wire = self._connected()
                self._require_ready(wire)
                for start in range(0, len(data), PIECE_BYTES):
                    wire.write(data[start : start + PIECE_BYTES])
                self._wait_for_paper(wire)
            except OSError as error:
                self._abandon()
                words = str(error) or type(error).__name__
                if not isinstance(error, PrinterTrouble):
                    self._tell(DeviceState(Health.ABSENT, words))
                raise PrinterTrouble(words) from error

    def _require_ready(self, wire: Wire) -> None:
        if not wire.answers:
            return
        status = self._ask(wire)
        if status is None:
            raise OSError("printer does not answer")
        self._tell(status.state)
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
            self._listen(wire)
            self._require_ready(wire)
            if time.monotonic() > until:
                # Well, listening, and silent to `GS r`: a printer without it.
                log.warning("the printer does not confirm; taken as printed")
                return

    def _watch(self) -> None:
        while not self._stop.is_set():
            with self._in_use:
                self._tell(self._look())
            self._stop.wait(self._watch_seconds)

    def _look(self) -> DeviceState:
        try:
            wire = self._connected()
            if not wire.answers:
                return DeviceState(Health.READY)
            status = self._ask(wire)
        except OSError as error:
            self._hang_up()
            return DeviceState(Health.ABSENT, str(error))
        if status is None:
            self._hang_up()
            return DeviceState(Health.ABSENT, "printer does not answer")
        return status.state

    def _ask(self, wire: Wire) -> PrinterStatus | None:
        answers = {}
        for question in REAL_TIME_QUESTIONS:
            wire.write(DLE_EOT + bytes([question]))
            until = time.monotonic() + self._answer_seconds
            while question not in answers and time.monotonic() < until:
                for byte in self._listen(wire):
                    answers[question] = byte
            if question not in answers:
                return None
        return read_status(answers)

    def _listen(self, wire: Wire) -> bytes:
        """Return the real-time answers heard; note an answer given in order."""
        heard = wire.read(self._answer_seconds)
        self._heard_in_order |= any(map(is_in_order_answer, heard))
        return bytes(byte for byte in heard if is_real_time_answer(byte))

    def _connected(self) -> Wire:
        if self._wire is None:
            self._wire = self._connect()
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
