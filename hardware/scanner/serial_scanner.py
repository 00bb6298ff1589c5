"""Reads labels from a serial line: RS-232, or USB as CDC-ACM.

The wire is passed in, so a pty stands in for it. It
will never write to the scanner: programming codes and trigger commands are the
technician's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

import serial

from hardware.ports import DeviceState, Health, Scan
from hardware.scanner.framing import SILENCE_SECONDS, USUAL, Marks, Rest, frame
from hardware.scanner.label import split_identifier
from hardware.scanner.tally import Tally

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0


class Port(Protocol):
    """The part of `serial.Serial` that a scanner needs."""

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read at once."""

    def read(self, size: int = 1) -> bytes:
        """Return up to `size` bytes; none when the read timed out."""

    def close(self) -> None:
        """Let go of the line."""


def scan_of(label: bytes) -> Scan:
    """Split an AIM symbology identifier (ISO/IEC 15424) off a label."""
    symbology, data = split_identifier(label)
    return Scan(data, symbology)


def serial_port(device: str, baud: int = 9600) -> Callable[[], Port]:
    """Return what connects to `device`, eight bits, no parity, for us alone."""

    def connect() -> Port:
        return serial.Serial(
            device, baudrate=baud, timeout=SILENCE_SECONDS, exclusive=True
        )

    return connect


class SerialScanner:
    """Reads labels from a serial line, and reconnects for as long as it is open.

    `connect` returns a port whose read times out after the silence that ends a
    label; a line that is not there is an `OSError`.
    """

    def __init__(
        self,
        connect: Callable[[], Port],
        clock: Callable[[], float] = time.monotonic,
        reconnect_seconds: float = RECONNECT_SECONDS,
        marks: Marks = USUAL,
    ) -> None:
        self._connect = connect
        self._marks = marks
        self._clock = clock
        self._reconnect_seconds = reconnect_seconds
        self._tally = Tally()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: DeviceState | None = None

    def open(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        """Start reading; returns at once."""
        if self._thread is not None:
            raise RuntimeError("the scanner is open already")
        self._stop.clear()
        self._told = None
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name="serial-scanner", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop reading; returns when the thread has ended. Safe to repeat."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        while not self._stop.is_set():
            try:
                with closing(self._connect()) as port:
                    self._tell(emit, self._tally.state(self._clock()))
                    self._read(port, emit)
            except OSError as error:
                self._tell(emit, DeviceState(Health.ABSENT, str(error)))
            self._stop.wait(self._reconnect_seconds)

    def _read(self, port: Port, emit: Callable[[Scan | DeviceState], None]) -> None:
        rest = Rest()
        while not self._stop.is_set():
            # Only time spent waiting on an empty line is silence: a thread that
            # was held up must not cut the label that waits in the buffer.
            waiting = port.in_waiting
            asked_at = self._clock()
            received = port.read(waiting or 1)
            now = self._clock()
            silent = 0.0 if waiting else now - asked_at
            framed = frame(rest, received, silent, self._marks)
            rest = framed.rest
            for cause in framed.dropped:
                self._tally.drop(cause, now)
            for label in framed.labels:
                if self._tally.may_pass(now):
                    emit(scan_of(label))
            if self._told is None or self._tally.health(now) is not self._told.health:
                self._tell(emit, self._tally.state(now))

    def _tell(
        self, emit: Callable[[Scan | DeviceState], None], state: DeviceState
    ) -> None:
        if self._told is None or state.health is not self._told.health:
            log.info("scanner is %s: %s", state.health.value, state.detail or "reading")
            emit(state)
            self._told = state
