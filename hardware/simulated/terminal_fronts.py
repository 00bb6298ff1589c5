"""The wires of the simulated card terminal: which bytes carry the core's words.

A front belongs to one terminal process and is called by its loop alone. It keeps who
is connected and what is half received; money is the core's.
"""

from __future__ import annotations

import ssl
from typing import Protocol, TypeAlias

import msgspec

from hardware.simulated.frames import frame, split
from hardware.simulated.https_end import HttpsEnd, NotHttp
from hardware.simulated.nexo_front import NexoFront, Replies, Reply
from hardware.simulated.terminal_core import Drop, Said, TerminalCore
from hardware.simulated.terminal_wire import (
    Confirmed,
    Moment,
    Pay,
    Refused,
    Result,
    ToTerminal,
)
from hardware.simulated.zvt_front import ZvtFront
from hardware.terminal import zvt_apdu, zvt_serial
from hardware.terminal.zvt_apdu import Apdu


class End(Protocol):
    """Whoever is connected: a socket, or a pty."""

    def fileno(self) -> int: ...

    def recv(self, size: int, /) -> bytes: ...

    def sendall(self, data: bytes, /) -> None: ...

    def close(self) -> None: ...


# Bytes for one end, or a link that breaks (None: whoever it belongs to is gone).
Out: TypeAlias = tuple[End, bytes] | tuple[End | None, Drop]


class Garbage(Exception):
    """What came is not this wire: the link is closed."""


class Front(Protocol):
    """One wire's way to talk."""

    def hear(self, now: float, end: End, received: bytes) -> list[Out]:
        """Take bytes; return what to send. Raises `Garbage`."""

    def say(self, said: Said) -> list[Out]:
        """Return how the core's word reaches whoever it is for."""

    def hung_up(self, end: End) -> None:
        """Forget an end."""


class PlainFront:
    """Length and JSON (`terminal_wire`); any number of links, one a question."""

    def __init__(self, core: TerminalCore) -> None:
        self._core = core
        self._rest: dict[End, bytes] = {}
        self._payers: dict[str, End] = {}

    def hear(self, now: float, end: End, received: bytes) -> list[Out]:
        """Take bytes; return what to send. Raises `Garbage`."""
        try:
            bodies, self._rest[end] = split(self._rest.get(end, b"") + received)
            words = [msgspec.json.decode(body, type=ToTerminal) for body in bodies]
        except (OSError, msgspec.DecodeError) as error:
            raise Garbage(str(error)) from error
        out: list[Out] = []
        for word in words:
            if isinstance(word, Pay):
                self._payers[word.attempt.attempt_id] = end
            for said in self._core.handle(now, word):
                if isinstance(said, Moment | Result):
                    # Of a payment: to its own link, whoever asked (a cancel).
                    out += self.say(said)
                elif isinstance(said, Drop):
                    out.append((end, said))
                else:
                    out.append((end, frame(msgspec.json.encode(said))))
        return out

    def say(self, said: Said) -> list[Out]:
        """Return how the core's word reaches whoever it is for."""
        if not isinstance(said, Moment | Result | Confirmed | Refused | Drop):
            return []
        end = self._payers.get(said.attempt_id)
        if isinstance(said, Drop):
            return [(end, said)]
        return [(end, frame(msgspec.json.encode(said)))] if end is not None else []

    def hung_up(self, end: End) -> None:
        """Forget an end."""
        self._rest.pop(end, None)
        for attempt_id in [a for a, it in self._payers.items() if it is end]:
            del self._payers[attempt_id]


class ZvtWire:
    """ZVT, bare over TCP or in frames on a serial line; one lane at a time."""

    def __init__(self, front: ZvtFront, *, is_serial: bool) -> None:
        self._front = front
        self._is_serial = is_serial
        self._rest = b""
        self._end: End | None = None

    def hear(self, now: float, end: End, received: bytes) -> list[Out]:
        """Take bytes; return what to send. Raises `Garbage`."""
        if end is not self._end:
            # The newest lane counts: an older link is a half-open one.
            self._front.hung_up()
            self._end, self._rest = end, b""
        out: list[Out] = []
        for apdu in self._apdus(end, received, out):
            out += self._out(self._front.hear(now, apdu))
        return out

    def say(self, said: Said) -> list[Out]:
        """Return how the core's word reaches whoever it is for."""
        return self._out(self._front.say(said))

    def hung_up(self, end: End) -> None:
        """Forget an end."""
        if end is self._end:
            self._front.hung_up()
            self._end, self._rest = None, b""

    def _apdus(self, end: End, received: bytes, out: list[Out]) -> list[Apdu]:
        if not self._is_serial:
            apdus, self._rest, broken = zvt_apdu.split(self._rest + received)
            if broken is not None:
                raise Garbage(broken.cause)
            return apdus
        found, self._rest = zvt_serial.split(self._rest + received)
        apdus = []
        for one in found:
            if isinstance(one, zvt_serial.Sign):
                continue
            sign = zvt_serial.ACK if one.is_good else zvt_serial.NAK
            out.append((end, bytes([sign])))
            if one.is_good:
                apdus += zvt_apdu.split(one.content)[0]
        return apdus

    def _out(self, said: list[Apdu | Drop]) -> list[Out]:
        out: list[Out] = []
        for one in said:
            if isinstance(one, Drop):
                out.append((self._end, one))
            elif self._end is not None:
                data = one.encode()
                framed = zvt_serial.encode(data) if self._is_serial else data
                out.append((self._end, framed))
        return out


class NexoWire:
    """nexo over HTTPS; any number of links, one request after another on each."""

    def __init__(self, front: NexoFront, trust: ssl.SSLContext) -> None:
        self._front = front
        self._trust = trust
        self._numbers: dict[End, int] = {}
        self._links: dict[int, tuple[End, HttpsEnd]] = {}
        self._count = 0

    def hear(self, now: float, end: End, received: bytes) -> list[Out]:
        """Take bytes; return what to send. Raises `Garbage`."""
        if end not in self._numbers:
            self._count += 1
            self._numbers[end] = self._count
            self._links[self._count] = end, HttpsEnd(self._trust)
        number = self._numbers[end]
        try:
            bodies, sent = self._links[number][1].hear(received)
        except NotHttp as error:
            raise Garbage(str(error)) from error
        out: list[Out] = [(end, sent)] if sent else []
        for body in bodies:
            out += self._out(self._front.hear(now, number, body))
        return out

    def say(self, said: Said) -> list[Out]:
        """Return how the core's word reaches whoever it is for."""
        return self._out(self._front.say(said))

    def hung_up(self, end: End) -> None:
        """Forget an end."""
        number = self._numbers.pop(end, None)
        if number is not None:
            del self._links[number]
            self._front.hung_up(number)

    def _out(self, replies: Replies) -> list[Out]:
        out: list[Out] = []
        for reply in replies:
            if reply.to not in self._links:
                continue
            end, link = self._links[reply.to]
            if isinstance(reply, Reply):
                out.append((end, link.answer(reply.status, reply.body)))
            else:
                out.append((end, reply.drop))
        return out
