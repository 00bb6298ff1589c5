"""What a ZVT terminal says: control bytes and data -> messages without card data. Pure.

PA00P015, chapters 2 and 3. What is unknown or broken is a value, never an exception:
the driver answers it and lets its outcome rule decide.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hardware.ports import TerminalMoment
from hardware.terminal import zvt_fields, zvt_tlv
from hardware.terminal.redact import redact_text
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_fields import Bitmaps
from hardware.terminal.zvt_redact import redact

_CHARSETS = {0x01: "latin-1", 0x02: "iso8859-2", 0xFE: "utf-8", 0xFF: "cp437"}
_OFFLINE_CODES = frozenset({0x2B, 0xF1, 0xF3})


class Ack(msgspec.Struct, frozen=True):
    """80 00: the command was taken."""


class Nack(msgspec.Struct, frozen=True):
    """84 xx: the command was not taken."""

    code: int


class Intermediate(msgspec.Struct, frozen=True):
    """04 FF: where the shopper is. `wait_minutes` is a new T4, where one is told."""

    code: int
    wait_minutes: int | None = None

    @property
    def moment(self) -> TerminalMoment:
        """What the lane's screen shows; its own words, never the terminal's."""
        return _MOMENTS.get(
            self.code & ~0x40 if 0x41 <= self.code <= 0x5D else self.code,
            TerminalMoment.HOST,
        )

    @property
    def is_offline(self) -> bool:
        """Does the terminal work without its host at this moment?"""
        return self.code in _OFFLINE_CODES


class Status(msgspec.Struct, frozen=True):
    """04 0F: how a transaction stands, with every field that may be kept."""

    fields: Bitmaps
    masked_pan: str = ""

    @property
    def result(self) -> int | None:
        """BMP 27, or None where it was not told."""
        value = self.fields.value(0x27)
        return value[0] if value is not None else None


class PrintLine(msgspec.Struct, frozen=True):
    """06 D1: one line of paper."""

    text: str
    ends_receipt: bool = False


class PrintBlock(msgspec.Struct, frozen=True):
    """06 D3: lines of a receipt. `kind`: 1 merchant, 2 shopper, 3 administrative."""

    kind: int
    lines: tuple[str, ...]


class Completion(msgspec.Struct, frozen=True):
    """06 0F: the dialogue is over. `fields` as far as it carries bitmaps."""

    fields: Bitmaps = Bitmaps()
    status: int | None = None
    software: str = ""


class Abort(msgspec.Struct, frozen=True):
    """06 1E: the dialogue is over, and it was not done."""

    code: int
    fields: Bitmaps = Bitmaps()


class Other(msgspec.Struct, frozen=True):
    """Anything else the terminal may say."""

    control: int


Message: TypeAlias = (
    Ack
    | Nack
    | Intermediate
    | Status
    | PrintLine
    | PrintBlock
    | Completion
    | Abort
    | Other
)


def read(apdu: Apdu, charset: str) -> Message:
    """Return what a message says. `charset` is the terminal profile's code page."""
    data = apdu.data
    match apdu.control:
        case 0x8000:
            return Ack()
        case 0x8400:
            return Ack()
        case control if control >> 8 == 0x84:
            return Nack(control & 0xFF)
        case 0x04FF:
            return _intermediate(data)
        case 0x040F:
            return Status(*redact(zvt_fields.parse(data)))
        case 0x06D1:
            return _print_line(data, charset)
        case 0x06D3:
            return _print_block(data, charset)
        case 0x060F:
            return _completion(data)
        case 0x061E:
            fields, _ = redact(zvt_fields.parse(data[1:]))
            return Abort(data[0] if data else 0xFF, fields)
        case control:
            return Other(control)


def text_of(value: bytes | None, charset: str) -> str:
    """Return a text field without padding; never fails."""
    if value is None:
        return ""
    return redact_text(value.decode(charset, "replace").rstrip("\0 ").strip())


def charset_of(fields: Bitmaps, charset: str) -> str:
    """Return the code page a message names itself (TLV 14), else the profile's."""
    told = zvt_tlv.first(fields.tlv, 0x14)
    return _CHARSETS.get(told[0], charset) if told else charset


def _intermediate(data: bytes) -> Intermediate:
    if not data:
        return Intermediate(0xFF)
    has_minutes = (len(data) > 1 and data[1] != zvt_fields.TLV) or (
        data[1:2] == b"\x06" and (len(data) == 2 or data[2:3] == b"\x06")
    )
    minutes = data[1:2].hex() if has_minutes else ""
    return Intermediate(data[0], int(minutes) if minutes.isdecimal() else None)


def _print_line(data: bytes, charset: str) -> PrintLine:
    attribute = data[0] if data else 0
    ends = bool(attribute & 0x80) and attribute != 0x80 and attribute != 0xFF
    return PrintLine(text_of(data[1:], charset), ends)


def _print_block(data: bytes, charset: str) -> PrintBlock:
    fields, _ = redact(zvt_fields.parse(data))
    charset = charset_of(fields, charset)
    kind = zvt_tlv.first(fields.tlv, 0x1F07)
    lines = tuple(
        redact_text(tlv.value.decode(charset, "replace"))
        for tlv in zvt_tlv.walk(fields.tlv)
        if tlv.tag == 0x07 and isinstance(tlv.value, bytes)
    )
    return PrintBlock(kind[0] if kind else 0, lines)


def _completion(data: bytes) -> Completion:
    """Tell the three completions apart: of a payment, a registration, an enquiry.

    An enquiry's begins with the software's version (LLLVAR: three bytes of high nibble
    F) or with the status byte alone, and the status may begin with F too.
    """
    software = ""
    if len(data) >= 3 and all(byte & 0xF0 == 0xF0 for byte in data[:3]):
        size = int("".join(str(byte & 0x0F) for byte in data[:3]))
        software = text_of(data[3 : 3 + size], "latin-1")
        data = data[3 + size :]
        return Completion(_safe(data[1:]), data[0] if data else None, software)
    if len(data) == 1:
        return Completion(status=data[0])
    fields = _safe(data)
    if data and fields.is_partial and not fields.values:
        return Completion(_safe(data[1:]), data[0])
    registered = fields.value(0x19)
    return Completion(fields, registered[0] if registered else None)


def _safe(data: bytes) -> Bitmaps:
    return redact(zvt_fields.parse(data))[0]


_MOMENTS: dict[int, TerminalMoment] = {
    0x00: TerminalMoment.CARD_SEEN,
    0x01: TerminalMoment.ENTER_PIN,
    0x02: TerminalMoment.ENTER_PIN,
    0x0A: TerminalMoment.WAITING_FOR_CARD,
    0x0B: TerminalMoment.REMOVE_CARD,
    0x15: TerminalMoment.ENTER_PIN,
    0x28: TerminalMoment.CARD_SEEN,
    0x29: TerminalMoment.CARD_SEEN,
    0x2C: TerminalMoment.CARD_SEEN,
    0x68: TerminalMoment.CARD_SEEN,
    0x69: TerminalMoment.CARD_SEEN,
    0xCC: TerminalMoment.ENTER_PIN,
    0xE0: TerminalMoment.CARD_SEEN,
    0xE1: TerminalMoment.CARD_SEEN,
}
