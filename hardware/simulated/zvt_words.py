"""What a simulated ZVT terminal says, message by message. Pure.

Written with the same codec as the driver reads by; captures of real terminals hold
both to the wire (tests/conformance).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from hardware.simulated.terminal_store import Kind, Transaction, TxState
from hardware.terminal import zvt_tlv
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_fields import Bitmaps, encode, packed
from hardware.terminal.zvt_tlv import Tlv

READY = 0x00
WAIT = 0x9C
NOT_POSSIBLE = 0x83
END_OF_DAY_OPEN = 0xF0
ABORTED = 0x6C
NOTHING_STORED = 0x64
_EUR = bytes.fromhex("0978")
# The public test number; what a misconfigured terminal sends (redaction_synthetic).
_LEAKED_PAN = bytes.fromhex("4111111111111111")
_LEAKED_TRACK = bytes.fromhex("4111111111111111D99121011000012300000F")


class Named(Protocol):
    """Whoever has a terminal's number (`TerminalCore`)."""

    @property
    def terminal_id(self) -> str: ...


class ZvtBehaviour(msgspec.Struct, frozen=True):
    """How terminals of different makers differ."""

    can_repeat: bool = True
    tells_successful_only: bool = False
    forgets_at_end_of_day: bool = False
    receipt_begins_anew: bool = False
    has_long_trace: bool = False
    charset: str = "cp437"

    def told(
        self,
        terminal_id: str,
        kept: Transaction,
        *,
        number: int,
        receipt: int,
        original: int | None,
        leak: bool,
        unknown: bool,
    ) -> Apdu:
        """Return a transaction as a status information."""
        result = kept.result
        is_good = kept.state in (
            TxState.APPROVED,
            TxState.REVERSED,
            TxState.AUTO_REVERSED,
        )
        if not is_good or result is None:
            code = ABORTED if kept.state is TxState.CANCELLED else 0x05
            return _status(
                terminal_id,
                {0x27: bytes([code]), **self._numbers(number, receipt)},
                self._tlv(number),
            )
        amount = (
            kept.amount_minor
            if kept.kind is not Kind.PAYMENT
            else (result.amount_minor)
        )
        values: dict[int, bytes] = {
            0x27: b"\x00",
            0x04: packed(amount, 6),
            0x49: _EUR,
            **self._numbers(number, receipt),
            0x0C: packed(
                number // 3600 % 24 * 10000 + number // 60 % 60 * 100 + number % 60, 3
            ),
            0x0D: b"\x11\x26",
            0x19: b"\x40" if result.approved_offline else b"\x70",
            0x22: _pan(result.masked_pan),
            0x3B: result.auth_code.encode().ljust(8, b"\0")[:8],
            0x8A: b"\x0a",
            0x8B: (result.brand or "Visa").encode(self.charset) + b"\0",
            0x3C: f"GEN.NR.:{result.auth_code}".encode(self.charset),
        }
        if original is not None:
            values[0x37] = packed(original, 3)
        if leak:
            values |= {0x22: _LEAKED_PAN, 0x23: _LEAKED_TRACK, 0x0E: b"\x99\x12"}
            values[0x3C] = b"KARTE 4111 1111 1111 1111"
        apdu = _status(terminal_id, values, self._tlv(number, result.approved_offline))
        return Apdu(apdu.control, apdu.data + b"\xcd\x01") if unknown else apdu

    def _numbers(self, number: int, receipt: int) -> dict[int, bytes]:
        trace = 0 if self.has_long_trace else number
        return {
            0x0B: packed(trace, 3),
            0x87: packed(receipt % 10_000, 2),
            0x88: packed(number % 1_000_000, 3),
        }

    def _tlv(self, number: int, is_offline: bool = False) -> tuple[Tlv, ...]:
        long_trace = (
            (Tlv(0x1F2B, bytes.fromhex(f"{10_000_000 + number:08d}")),)
            if self.has_long_trace
            else ()
        )
        return (*long_trace, Tlv(0x1F11, b"\x00" if is_offline else b"\x01"))


def status_information(values: dict[int, bytes], of: Named) -> Apdu:
    """Return 04 0F with these values and the terminal's number."""
    return _status(of.terminal_id, values, ())


def completion(data: bytes = b"") -> Apdu:
    """Return 06 0F."""
    return Apdu(0x060F, data)


def abort(code: int) -> Apdu:
    """Return 06 1E."""
    return Apdu(0x061E, bytes([code]))


def intermediate(code: int) -> Apdu:
    """Return 04 FF."""
    return Apdu(0x04FF, bytes([code]))


def registered(terminal_id: str, status: int) -> Apdu:
    """Return the completion of a registration."""
    return Apdu(
        0x060F,
        b"\x19"
        + bytes([status])
        + b"\x29"
        + bytes.fromhex(terminal_id)
        + b"\x49"
        + _EUR,
    )


def printed(kind: int, lines: tuple[str, ...]) -> Apdu:
    """Return 06 D3: a receipt's lines."""
    text = tuple(Tlv(0x07, line.encode("cp437", "replace")) for line in lines)
    tree = (
        Tlv(0x1F07, bytes([kind])),
        Tlv(0x25, (*text, Tlv(0x09, b"\x81"))),
    )
    return Apdu(0x06D3, b"\x06" + zvt_tlv.container(tree))


def totals(terminal_id: str, day: list[Transaction]) -> Apdu:
    """Return the status information of an end of day, with BMP 60."""
    kept = [one for one in day if one.kept_minor]
    sum_minor = sum(one.kept_minor for one in kept)
    first = min((one.receipt for one in day), default=0) % 10_000
    last = max((one.receipt for one in day), default=0) % 10_000
    slots = bytes([min(len(kept), 255)]) + packed(max(sum_minor, 0), 6)
    content = packed(first, 2) + packed(last, 2) + slots + bytes(6 * 7)
    values = {0x27: b"\x00", 0x04: packed(max(sum_minor, 0), 6), 0x60: content}
    return _status(terminal_id, values, ())


def _status(terminal_id: str, values: dict[int, bytes], tree: tuple[Tlv, ...]) -> Apdu:
    told = {**values, 0x29: bytes.fromhex(terminal_id)}
    bitmaps = Bitmaps(tuple(told.items()), tree, tlv_at=len(told) if tree else None)
    return Apdu(0x040F, encode(bitmaps))


def _pan(masked: str) -> bytes:
    nibbles = masked.replace("*", "E") or "E" * 16
    return bytes.fromhex(nibbles if len(nibbles) % 2 == 0 else nibbles + "F")
