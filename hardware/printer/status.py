"""Reads what an ESC/POS printer says. Pure.

`DLE EOT n` is answered at once, whatever waits in the printer's buffer; `GS r 1`
is answered when everything before it has been printed. After `GS a` a printer that can
tells every change by itself, in four bytes (automatic status back). The kinds are told
apart by their fixed bits (Citizen CBM1000 manual, appendix 3; Epson says the same).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hardware.ports import DeviceState, Health

DLE_EOT = b"\x10\x04"
# Printer, causes of being offline, errors, paper sensors.
REAL_TIME_QUESTIONS = (1, 2, 3, 4)
PAPER_STATUS_IN_ORDER = b"\x1dr\x01"
# On-line, errors and paper sensors; not the drawer, which no lane has.
PUSH_STATUS = b"\x1da\x0e"
# Maker, model, firmware.
WHO_ARE_YOU = b"\x1dIB\x1dIC\x1dIA"
# A name is a few words; what is longer is noise on the line.
LONGEST_WORDS = 80


class PrinterStatus(msgspec.Struct, frozen=True):
    """What a printer says of itself."""

    offline: bool = False
    cover_open: bool = False
    paper_out: bool = False
    paper_low: bool = False
    cutter_jam: bool = False
    broken: bool = False

    @property
    def trouble(self) -> str:
        """Why it cannot print, in the technician's words; empty when it can."""
        if self.cover_open:
            return "cover open"
        if self.paper_out:
            return "paper out"
        if self.cutter_jam:
            return "cutter jam"
        if self.broken:
            return "printer reports an error that needs service"
        return "printer offline" if self.offline else ""

    @property
    def state(self) -> DeviceState:
        """Health for the lane: ABSENT cannot print now, DEGRADED wants paper soon."""
        if self.trouble:
            return DeviceState(Health.ABSENT, self.trouble)
        if self.paper_low:
            return DeviceState(Health.DEGRADED, "paper low")
        return DeviceState(Health.READY)


class RealTime(msgspec.Struct, frozen=True):
    """The answer to `DLE EOT`."""

    byte: int


class InOrder(msgspec.Struct, frozen=True):
    """The answer to `GS r`."""

    byte: int


class Pushed(msgspec.Struct, frozen=True):
    """The status that a printer told by itself."""

    status: PrinterStatus


class Words(msgspec.Struct, frozen=True):
    """The answer to `GS I`: printable ASCII, of bounded length."""

    text: str


Answer: TypeAlias = RealTime | InOrder | Pushed | Words


class Answers:
    """Takes bytes as they come from a printer and gives back whole answers.

    Noise is left out. At most one unfinished answer is kept.
    """

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """Return what is complete now."""
        answers: list[Answer] = []
        for byte in data:
            answers += self._take(byte)
        return answers

    def _take(self, byte: int) -> list[Answer]:
        begun = self._begun
        if not begun:
            return self._begin(byte)
        if begun[0] in _BLOCKS:
            if byte == 0:
                words = begun[1:].decode("ascii") if begun[0] == _WORDS else ""
                begun.clear()
                return [Words(words)] if words else []
            if 0x20 <= byte < 0x7F and len(begun) <= LONGEST_WORDS:
                begun.append(byte)
                return []
        elif byte & 0b1001_0000 == 0:
            begun.append(byte)
            if len(begun) < 4:
                return []
            pushed = Pushed(read_pushed(bytes(begun)))
            begun.clear()
            return [pushed]
        # Broken off: this byte begins something else.
        begun.clear()
        return self._begin(byte)

    def _begin(self, byte: int) -> list[Answer]:
        if is_real_time_answer(byte):
            return [RealTime(byte)]
        if is_in_order_answer(byte):
            return [InOrder(byte)]
        if byte in _BLOCKS or byte & 0b1001_0011 == 0b0001_0000:
            self._begun.append(byte)
        return []


# How blocks begin that end with NUL: of `GS I`, and of `DLE DC4 8`.
_WORDS = 0x5F
_BLOCKS = (_WORDS, 0x37)


def is_real_time_answer(byte: int) -> bool:
    """Every answer to `DLE EOT` has bits 1 and 4 set, bits 0 and 7 clear."""
    return byte & 0b1001_0011 == 0b0001_0010


def is_in_order_answer(byte: int) -> bool:
    """An answer to `GS r` has bits 4 and 7 clear."""
    return byte & 0b1001_0000 == 0


def read_status(answers: dict[int, int]) -> PrinterStatus:
    """Return what the answers to `DLE EOT n`, keyed by n, say together."""
    offline, cause, error, paper = (answers.get(n, 0) for n in REAL_TIME_QUESTIONS)
    return PrinterStatus(
        offline=bool(offline & 0x08),
        cover_open=bool(cause & 0x04),
        # The cause says that printing stopped, the sensor that the roll is empty.
        paper_out=bool(cause & 0x20 or paper & 0x60),
        paper_low=bool(paper & 0x0C),
        cutter_jam=bool(error & 0x08),
        broken=bool(error & 0x20),
    )


def read_pushed(four: bytes) -> PrinterStatus:
    """Return what the four bytes of automatic status back say."""
    printer, error, paper, _ = four
    return PrinterStatus(
        offline=bool(printer & 0x08),
        cover_open=bool(printer & 0x20),
        paper_out=bool(paper & 0x0C),
        paper_low=bool(paper & 0x03),
        cutter_jam=bool(error & 0x08),
        broken=bool(error & 0x20),
    )
