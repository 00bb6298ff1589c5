"""How ZVT messages reach a terminal: TCP, or a serial line. Knows no message's meaning.

PA00P016. Each `receive` waits no longer than it is told; whatever breaks is an OSError.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from typing import Protocol

import serial

from hardware.terminal import zvt_apdu, zvt_serial
from hardware.terminal.zvt_apdu import Apdu

CONNECT_SECONDS = 3.0
# Terminals that hang half-open are noticed within half a minute (EVerest's experience).
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 10),
    (socket.TCP_KEEPINTVL, 5),
    (socket.TCP_KEEPCNT, 3),
)
# T2: a frame's sign is awaited so long, and the frame sent twice more.
_SIGN_SECONDS = 5.0
_SENDINGS = 3
# T1: a frame that stops for longer is refused.
_GAP_SECONDS = 0.2


class NothingSent(OSError):
    """Not one byte reached the wire."""


class Link(Protocol):
    """One open connection to a terminal."""

    def send(self, apdu: Apdu) -> None:
        """Send one message. `NothingSent` when not one byte left."""

    def receive(self, seconds: float) -> Apdu | None:
        """Return the next message, or None when none came in time."""

    def close(self) -> None:
        """Let go."""


class TcpLink:
    """ZVT over TCP: no framing beyond the message itself."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        except OSError as error:
            raise NothingSent(str(error)) from error
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            self._socket.setsockopt(socket.IPPROTO_TCP, option, value)
        self._rest = b""
        self._whole: deque[Apdu] = deque()

    def send(self, apdu: Apdu) -> None:
        """Send one message. `NothingSent` when not one byte left."""
        data = apdu.encode()
        self._socket.settimeout(CONNECT_SECONDS)
        try:
            sent = self._socket.send(data)
        except OSError as error:
            raise NothingSent(str(error)) from error
        self._socket.sendall(data[sent:])

    def receive(self, seconds: float) -> Apdu | None:
        """Return the next message, or None when none came in time."""
        until = time.monotonic() + seconds
        while not self._whole:
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                received = self._socket.recv(65536)
            except TimeoutError:
                return None
            if not received:
                raise ConnectionError("the terminal closed the connection")
            whole, self._rest, broken = zvt_apdu.split(self._rest + received)
            self._whole.extend(whole)
            if broken is not None:
                # No place to start again exists on TCP.
                raise ConnectionError(broken.cause)
        return self._whole.popleft()

    def close(self) -> None:
        """Let go."""
        self._socket.close()


class SerialLink:
    """ZVT over a serial line: frames, checks, signs and repetitions."""

    def __init__(self, port: str, baud: int) -> None:
        try:
            self._port = serial.Serial(
                port, baud, stopbits=serial.STOPBITS_TWO, timeout=0, write_timeout=3
            )
            # What another program, or this one before a cut, left unread.
            self._port.reset_input_buffer()
        except OSError as error:
            raise NothingSent(str(error)) from error
        self._rest = b""
        self._frames: deque[bytes] = deque()
        self._signs: deque[bool] = deque()
        # The terminal's last frame, as long as our answer to it has no sign yet.
        self._unsure: bytes | None = None
        self._answer: bytes | None = None

    def send(self, apdu: Apdu) -> None:
        """Send one frame until it is acknowledged, three times at most."""
        frame = zvt_serial.encode(apdu.encode())
        self._answer = frame
        self._signs.clear()
        for _ in range(_SENDINGS):
            self._port.write(frame)
            if self._is_acknowledged():
                self._unsure = None
                return
        raise ConnectionError("the terminal acknowledges no frame")

    def receive(self, seconds: float) -> Apdu | None:
        """Return the next message, or None when none came in time."""
        until = time.monotonic() + seconds
        while not self._frames:
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._listen(left)
        content = self._frames.popleft()
        whole, rest, broken = zvt_apdu.split(content)
        if broken is not None or rest or len(whole) != 1:
            raise ConnectionError("a frame that holds no message")
        self._unsure = content
        return whole[0]

    def close(self) -> None:
        """Let go."""
        self._port.close()

    def _is_acknowledged(self) -> bool:
        until = time.monotonic() + _SIGN_SECONDS
        while not self._signs:
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._listen(left)
        return self._signs.popleft()

    def _listen(self, seconds: float) -> None:
        self._port.timeout = min(seconds, _GAP_SECONDS)
        received = self._port.read(1)
        received += self._port.read(self._port.in_waiting)
        if not received:
            if self._rest:
                # T1 passed within a frame.
                self._rest = b""
                self._port.write(bytes([zvt_serial.NAK]))
            return
        found, self._rest = zvt_serial.split(self._rest + received)
        for one in found:
            if isinstance(one, zvt_serial.Sign):
                self._signs.append(one.is_ack)
            elif not one.is_good:
                self._port.write(bytes([zvt_serial.NAK]))
            else:
                self._take(one.content)

    def _take(self, content: bytes) -> None:
        self._port.write(bytes([zvt_serial.ACK]))
        if content == self._unsure and self._answer is not None:
            # Our sign was lost: the same frame again, and the same answer.
            self._port.write(self._answer)
            return
        self._frames.append(content)
