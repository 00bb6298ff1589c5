"""A USB device that says what it is told to say: the peer of QEMU's `usb-redir`.

Speaks usbredir 0.7 as the side that has the device, on a socket that QEMU connects to:
what it is, its descriptors, and a yes to all that it is set to. `answers` is the whole
device; `Plug` carries it, and what others push into it. Does nothing of its own: it
stores nothing and types nothing.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import BinaryIO, Self

# Packet types (usbredir-protocol, "Packet type list"): control from 0, data from 100.
HELLO, CONNECT, INTERFACES, ENDPOINTS = 0, 1, 4, 5
SET_CONFIGURATION, GET_CONFIGURATION, CONFIGURATION_STATUS = 6, 7, 8
SET_ALTERNATE, GET_ALTERNATE, ALTERNATE_STATUS = 9, 10, 11
START_INTERRUPTS, STOP_INTERRUPTS, INTERRUPTS_STATUS = 15, 16, 17
CONTROL, BULK, INTERRUPT = 100, 101, 103
SUCCESS, IO_ERROR, STALL = 0, 3, 4
# What QEMU's xHCI insists on, and the version in CONNECT: bits of HELLO's last word.
CAPABILITIES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6
FULL_SPEED = 1
_VERSION = b"a device that tests made up"
# Until both have said hello, an id has 32 bits; then 64, as the capabilities have it.
_FIRST, _HEAD = struct.Struct("<III"), struct.Struct("<IIQ")
_SETUP = struct.Struct("<BBBBHHH")
_BULK = struct.Struct("<BBHIH")
_INTERRUPT = struct.Struct("<BBH")
_UNUSED = 255
# USB 2.0, 9.4 and 9.6.
_GET_STATUS, _GET_DESCRIPTOR = 0, 6
_DEVICE, _CONFIGURATION, _STRING, _HID, _REPORT = 1, 2, 3, 0x21, 0x22
_BULK_ENDPOINT, _INTERRUPT_ENDPOINT = 2, 3
_LAST_ENDPOINT = 15
# HID 1.11, 7.2.1: a host asks for a report of the kind "feature".
_GET_REPORT, _FEATURE = 1, 3
# A keyboard of eight keys at once, as in HID 1.11, appendix B.1, without its lights.
_KEYBOARD = bytes.fromhex(
    "05010906a1010507 19e029e715002501 7501950881029501 7508810195067508"
    "1500256505071900 29658100c0"
)


@dataclass(frozen=True, slots=True)
class Pretended:
    """What a device says it is: ids, and each interface as in `08:06:50`.

    `report` describes what its HID interfaces send; `features` are the reports that a
    host may ask for, each with its number first.
    """

    vendor: int
    product: int
    kinds: tuple[str, ...]
    name: str = "Scanner"
    report: bytes = _KEYBOARD
    features: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of usbredir."""

    kind: int
    body: bytes = b""
    number: int = 0


@dataclass(frozen=True, slots=True)
class _Endpoint:
    address: int
    transfer: int
    interface: int


# -- the device ------------------------------------------------------------


def answers(device: Pretended, asked: Packet) -> list[Packet]:
    """Return what such a device answers to one packet of its host's."""

    def said(kind: int, body: bytes) -> Packet:
        return Packet(kind, body, asked.number)

    if asked.kind == HELLO:
        connect = Packet(CONNECT, _connect(device))
        return [interfaces(device), endpoints(device), connect]
    if asked.kind in {SET_CONFIGURATION, GET_CONFIGURATION}:
        status = said(CONFIGURATION_STATUS, bytes([SUCCESS, 1]))
        return [endpoints(device), interfaces(device), status]
    if asked.kind in {SET_ALTERNATE, GET_ALTERNATE}:
        status = said(ALTERNATE_STATUS, bytes([SUCCESS, asked.body[0], 0]))
        return [endpoints(device), interfaces(device), status]
    if asked.kind in {START_INTERRUPTS, STOP_INTERRUPTS}:
        return [said(INTERRUPTS_STATUS, bytes([SUCCESS, asked.body[0]]))]
    if asked.kind == CONTROL:
        return [said(CONTROL, _controlled(device, asked.body))]
    if asked.kind == BULK:
        endpoint, _, _, stream, _ = _BULK.unpack_from(asked.body)
        return [said(BULK, _BULK.pack(endpoint, IO_ERROR, 0, stream, 0))]
    return []


def interrupt(report: bytes, number: int, endpoint: int = 0x81) -> Packet:
    """Return the packet that brings its host what an interrupt endpoint has to say."""
    head = _INTERRUPT.pack(endpoint, SUCCESS, len(report))
    return Packet(INTERRUPT, head + report, number)


def interfaces(device: Pretended) -> Packet:
    """Return the packet that lists its interfaces."""
    kinds = [_bytes(kind) for kind in device.kinds]
    columns = (bytes(range(len(kinds))), *(bytes(part) for part in zip(*kinds)))
    body = struct.pack("<I", len(kinds))
    return Packet(INTERFACES, body + b"".join(c.ljust(32, b"\0") for c in columns))


def endpoints(device: Pretended) -> Packet:
    """Return the packet that lists its endpoints: sixteen out, sixteen in."""
    types, intervals, owners, sizes = [_UNUSED] * 32, [0] * 32, [0] * 32, [0] * 32
    for index in (0, 16):
        types[index], sizes[index] = 0, 64
    for endpoint in _endpoints(device):
        index = endpoint.address & 0x0F | (endpoint.address & 0x80) >> 3
        types[index], owners[index] = endpoint.transfer, endpoint.interface
        intervals[index], sizes[index] = 10, 64
    body = bytes(types) + bytes(intervals) + bytes(owners)
    return Packet(ENDPOINTS, body + struct.pack("<32H", *sizes))


def described(device: Pretended) -> bytes:
    """Return its configuration descriptor, whole."""
    body = b""
    for number, kind in enumerate(device.kinds):
        own = [end for end in _endpoints(device) if end.interface == number]
        body += bytes([9, 4, number, 0, len(own), *_bytes(kind), 0])
        if kind.startswith("03"):
            body += struct.pack(
                "<BBHBBBH", 9, _HID, 0x111, 0, 1, _REPORT, len(device.report)
            )
        for end in own:
            body += struct.pack("<BBBBHB", 7, 5, end.address, end.transfer, 64, 10)
    # Powered by the bus, with 100 mA.
    head = struct.pack(
        "<BBHBBBBB", 9, 2, 9 + len(body), len(device.kinds), 1, 0, 128, 50
    )
    return head + body


def _connect(device: Pretended) -> bytes:
    ids = (device.vendor, device.product, 0x0100)
    return struct.pack("<BBBBHHH", FULL_SPEED, 0, 0, 0, *ids)


def _controlled(device: Pretended, body: bytes) -> bytes:
    endpoint, request, kind, _, value, index, length = _SETUP.unpack_from(body)
    status, told = SUCCESS, b""
    if kind & 0x80:
        found = _told(device, request, value)
        status, told = (STALL, b"") if found is None else (SUCCESS, found[:length])
    done = len(told) if kind & 0x80 else length
    return _SETUP.pack(endpoint, request, kind, status, value, index, done) + told


def _told(device: Pretended, request: int, value: int) -> bytes | None:
    if request == _GET_STATUS:
        return bytes(2)
    if request == _GET_REPORT:
        features = {_FEATURE << 8 | one[0]: one for one in device.features}
        return features.get(value)
    if request != _GET_DESCRIPTOR:
        return None
    ids = (device.vendor, device.product, 0x0100)
    head = (18, _DEVICE, 0x0200, 0, 0, 0, 64)
    strings = ("Acme", device.name, "0001")
    told = {
        _DEVICE << 8: struct.pack("<BBHBBBBHHHBBBB", *head, *ids, 1, 2, 3, 1),
        _CONFIGURATION << 8: described(device),
        # American English, the only language.
        _STRING << 8: bytes([4, _STRING, 0x09, 0x04]),
        _REPORT << 8: device.report,
    }
    for number, text in enumerate(strings, 1):
        units = text.encode("utf-16-le")
        told[_STRING << 8 | number] = bytes([2 + len(units), _STRING]) + units
    return told.get(value)


def _endpoints(device: Pretended) -> Iterator[_Endpoint]:
    number = 0
    for interface, kind in enumerate(device.kinds):
        if kind[:2] not in {"03", "08"} or number == _LAST_ENDPOINT:
            continue
        number += 1
        if kind.startswith("03"):
            yield _Endpoint(0x80 | number, _INTERRUPT_ENDPOINT, interface)
        else:
            yield _Endpoint(0x80 | number, _BULK_ENDPOINT, interface)
            yield _Endpoint(number, _BULK_ENDPOINT, interface)


def _bytes(kind: str) -> tuple[int, int, int]:
    first, second, third = (int(part, 16) for part in kind.split(":"))
    return first, second, third


# -- the wire --------------------------------------------------------------


def hello() -> bytes:
    """Return what both sides say first."""
    body = _VERSION.ljust(64, b"\0") + struct.pack("<I", CAPABILITIES)
    return _FIRST.pack(HELLO, len(body), 0) + body


def written(packet: Packet) -> bytes:
    """Return a packet as it goes over the wire, after the hello."""
    return _HEAD.pack(packet.kind, len(packet.body), packet.number) + packet.body


class Plug:
    """A socket that QEMU connects to, with the device behind it."""

    def __init__(self, path: Path, device: Pretended) -> None:
        self.path, self.device = path, device
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = Thread(target=self._serve, daemon=True)
        # Answers and what is pushed go over one wire, each packet whole.
        self._writing = Lock()
        self._link: socket.socket | None = None
        self._pushed = 0
        self._polled_since: float | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def polled_seconds(self) -> float:
        """For how long the host has asked for reports: somebody there reads them.

        It stops and begins again as a better driver takes a device over.
        """
        since = self._polled_since
        return 0.0 if since is None else time.monotonic() - since

    def push(self, report: bytes) -> None:
        """Send a report to the host. It is lost if nobody there asks for any."""
        with self._writing:
            if self._link is None or self._polled_since is None:
                return
            self._link.sendall(written(interrupt(report, self._pushed)))
            self._pushed += 1

    def _serve(self) -> None:
        try:
            self._link, _ = self._listener.accept()
            with self._link as link, link.makefile("rb") as reader:
                link.sendall(hello())
                self._answer(link, reader)
        except OSError:
            # Pulled: QEMU let go of the wire, or nobody ever took it.
            pass
        with self._writing:
            self._link = None
            self._polled_since = None

    def _answer(self, link: socket.socket, reader: BinaryIO) -> None:
        head = _FIRST
        while len(begun := reader.read(head.size)) == head.size:
            kind, length, number = head.unpack(begun)
            head = _HEAD
            asked = Packet(kind, reader.read(length), number)
            with self._writing:
                for answer in answers(self.device, asked):
                    link.sendall(written(answer))
            if kind in {START_INTERRUPTS, STOP_INTERRUPTS}:
                is_polled = kind == START_INTERRUPTS
                self._polled_since = time.monotonic() if is_polled else None
