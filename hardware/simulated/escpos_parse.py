"""Reads an ESC/POS byte stream as a printer does: commands and text, in order.

Pure. Knows the commands that receipts use and the ones an attacker would like
(drawer, panel, real-time requests); what it does not know is named as such.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec


class Text(msgspec.Struct, frozen=True, tag=True):
    """Printable bytes, in the code page selected before them."""

    data: bytes


class Feed(msgspec.Struct, frozen=True, tag=True):
    """A newline: print the line and go on."""


class Command(msgspec.Struct, frozen=True, tag=True):
    """A command by its usual name, such as `ESC a`, with its arguments."""

    name: str
    arguments: bytes = b""


Piece: TypeAlias = Text | Feed | Command

# Commands with a fixed number of argument bytes, after the two that name them.
FIXED = {
    b"\x1b@": 0, b"\x1b!": 1, b"\x1ba": 1, b"\x1bd": 1, b"\x1bE": 1, b"\x1bG": 1,
    b"\x1bJ": 1, b"\x1bM": 1, b"\x1bt": 1, b"\x1bR": 1, b"\x1b2": 0, b"\x1b3": 1,
    b"\x1b-": 1, b"\x1b{": 1, b"\x1bp": 3, b"\x1bB": 2, b"\x1b=": 1, b"\x1b ": 1,
    b"\x1b$": 2, b"\x1bi": 0, b"\x1bm": 0, b"\x1bV": 1,
    b"\x1c.": 0, b"\x1c&": 0,
    b"\x1d!": 1, b"\x1dB": 1, b"\x1dH": 1, b"\x1df": 1, b"\x1dh": 1, b"\x1dw": 1,
    b"\x1dL": 2, b"\x1dW": 2, b"\x1dr": 1, b"\x1da": 1, b"\x1dI": 1, b"\x1di": 0,
}  # fmt: skip
LEADERS = {0x1B: "ESC", 0x1C: "FS", 0x1D: "GS"}
REAL_TIME = re.compile(
    rb"\x10\x04[\x01-\x04]|\x10\x05[\x00-\x02]"
    rb"|\x10\x14\x01[\x00\x01][\x01-\x08]|\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
)


class Parser:
    """Takes bytes as they come and gives back whole pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Piece]:
        """Return what is complete now; an unfinished command waits for more."""
        self._rest += data
        pieces: list[Piece] = []
        while self._rest:
            piece, length = _next(self._rest)
            if length == 0:
                break
            pieces.append(piece)
            self._rest = self._rest[length:]
        return pieces


def parse(data: bytes) -> list[Piece]:
    """Return all pieces of a stream; bytes of an unfinished command are named."""
    parser = Parser()
    pieces = parser.feed(data)
    if parser._rest:
        pieces.append(Command("unfinished", parser._rest))
    return pieces


def take_real_time(data: bytes) -> tuple[list[bytes], bytes, bytes]:
    """Split received bytes: real-time requests, all else, and a possible beginning.

    A printer answers these at once, also while it cannot print.
    """
    requests = REAL_TIME.findall(data)
    other = REAL_TIME.sub(b"", data)
    for length in range(min(9, len(other)), 0, -1):
        if other[-length] == 0x10:
            return requests, other[:-length], other[-length:]
    return requests, other, b""


def _next(data: bytes) -> tuple[Piece, int]:
    """Return the first piece and its length; length 0 when more bytes are needed."""
    first = data[0]
    if first == 0x0A:
        return Feed(), 1
    if first >= 0x20:
        # Up to the next control byte.
        length = next((i for i, byte in enumerate(data) if byte < 0x20), len(data))
        return Text(data[:length]), length
    if first == 0x10:
        found = REAL_TIME.match(data)
        if found:
            return Command("DLE", found.group()[1:]), found.end()
        return Command("DLE"), 1
    if first not in LEADERS:
        return Command(f"control {first:02x}"), 1
    if len(data) < 2:
        return Feed(), 0
    name = f"{LEADERS[first]} {chr(data[1])}"
    head, arguments = data[:2], data[2:]
    if head in FIXED:
        size = FIXED[head]
    elif (long := _size_of_long(head, arguments)) is not None:
        size = long
    else:
        return Command(f"unknown {name}"), 2
    if size < 0 or len(arguments) < size:
        return Feed(), 0
    return Command(name, arguments[:size]), 2 + size


def _size_of_long(head: bytes, arguments: bytes) -> int | None:
    """Return the argument length of a command that says it itself; -1: not yet."""
    match head:
        case b"\x1d(":  # GS ( x pL pH ...
            if len(arguments) < 3:
                return -1
            return 3 + arguments[1] + 256 * arguments[2]
        case b"\x1dk":  # GS k m n ... (B), or m ... NUL (A)
            if len(arguments) < 2:
                return -1
            if arguments[0] >= 65:
                return 2 + arguments[1]
            end = arguments.find(b"\0", 1)
            return end + 1 if end >= 0 else -1
        case b"\x1dv":  # GS v 0 m xL xH yL yH ...
            if len(arguments) < 6:
                return -1
            width = arguments[2] + 256 * arguments[3]
            return 6 + width * (arguments[4] + 256 * arguments[5])
        case b"\x1dV":  # GS V m, or m n where the knife is fed to
            if not arguments:
                return -1
            return 2 if arguments[0] in (65, 66, 97, 98, 103, 104) else 1
        case b"\x1d8":  # GS 8 L p1 p2 p3 p4 ...
            if len(arguments) < 5:
                return -1
            return 5 + int.from_bytes(arguments[1:5], "little")
        case _:
            return None
