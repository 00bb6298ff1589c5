"""The wires a receipt printer hangs on: network, serial line, device file.

Every write and read is bounded in time: a printer without paper stops taking
bytes and must not hold the lane.
"""

from __future__ import annotations

import os
import select
import time
from typing import Protocol

import serial
from escpos.exceptions import DeviceNotFoundError
from escpos.printer import Network, Serial

# A printer that takes nothing for so long is not coming back by itself.
WRITE_SECONDS = 8.0
CONNECT_SECONDS = 3.0
DRAIN_SECONDS = 0.5


class Wire(Protocol):
    """An open connection to a printer. All trouble is an OSError."""

    answers: bool
    """Whether the printer can be heard on this wire."""

    def write(self, data: bytes) -> None:
        """Hand over all bytes, or raise."""

    def read(self, seconds: float) -> bytes:
        """Return what came within `seconds`, or nothing."""

    def close(self) -> None:
        """Let go."""


class NetworkWire:
    """TCP, port 9100 on most printers; through python-escpos' `Network`."""

    answers = True

    def __init__(self, host: str, port: int) -> None:
        self._printer = Network(host, port, timeout=CONNECT_SECONDS)
        try:
            self._printer.open()
        except DeviceNotFoundError as error:
            raise OSError(f"no printer at {host}:{port}") from error
        self._socket = self._printer.device

    def write(self, data: bytes) -> None:
        self._socket.settimeout(WRITE_SECONDS)
        self._socket.sendall(data)

    def read(self, seconds: float) -> bytes:
        self._socket.settimeout(seconds)
        try:
            received: bytes = self._socket.recv(64)
        except TimeoutError:
            return b""
        if not received:
            raise ConnectionResetError("the printer closed the connection")
        return received

    def close(self) -> None:
        self._printer.close()


class SerialWire:
    """A serial line, 8N1 with hardware flow control; python-escpos' `Serial`."""

    answers = True

    def __init__(self, port: str, baud: int) -> None:
        # dsrdtr must be off on lines that lack the wires (pty, three-wire cables):
        # flow control is RTS/CTS or the printer's own buffer.
        self._printer = Serial(port, baudrate=baud, timeout=0, dsrdtr=False)
        try:
            self._printer.open()
        except DeviceNotFoundError as error:
            raise OSError(f"no printer on {port}") from error
        self._line: serial.Serial = self._printer.device
        self._line.write_timeout = WRITE_SECONDS

    def write(self, data: bytes) -> None:
        # pyserial's time-outs and losses are both SerialException, an OSError.
        self._line.write(data)

    def read(self, seconds: float) -> bytes:
        self._line.timeout = seconds
        first: bytes = self._line.read(1)
        return first + self._line.read(self._line.in_waiting) if first else first

    def close(self) -> None:
        # Not python-escpos' close: it waits for good on a line that takes nothing.
        until = time.monotonic() + DRAIN_SECONDS
        while self._line.out_waiting:
            if time.monotonic() > until:
                self._line.reset_output_buffer()
                break
            # The kernel tells nobody when its buffer has drained.
            time.sleep(0.01)
        self._line.close()


class FileWire:
    """A device file such as /dev/usb/lp0, or a file to look at. It cannot answer.

    Opened here and not by python-escpos: its `File` blocks for good when the
    printer is out of paper, and empties a file that exists.
    """

    answers = False

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o640
        )

    def write(self, data: bytes) -> None:
        until = time.monotonic() + WRITE_SECONDS
        while data:
            wait = max(0.0, until - time.monotonic())
            _, writable, _ = select.select([], [self._descriptor], [], wait)
            if not writable:
                raise TimeoutError("the printer takes no bytes")
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                continue

    def read(self, seconds: float) -> bytes:
        return b""

    def close(self) -> None:
        os.close(self._descriptor)
