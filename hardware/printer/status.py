"""Reads the status bytes of an ESC/POS printer. Pure.

`DLE EOT n` is answered at once, whatever waits in the printer's buffer; `GS r 1`
is answered when everything before it has been printed.
"""

from __future__ import annotations

import msgspec

from hardware.ports import DeviceState, Health

DLE_EOT = b"\x10\x04"
# Printer, causes of being offline, errors, paper sensors.
REAL_TIME_QUESTIONS = (1, 2, 3, 4)
PAPER_STATUS_IN_ORDER = b"\x1dr\x01"


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
