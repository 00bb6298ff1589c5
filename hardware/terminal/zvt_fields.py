"""ZVT's bitmaps (BMP): one byte of name, then a value of a known length. Pure.

PA00P015, chapter 2 and its table of bitmaps. `parse` gives what stands there, card
data included, and is for this package's codec alone: everybody else gets what
`zvt_redact` left of it. An unknown bitmap has no known length, so reading stops there
and the message is partial; never an exception.
"""

from __future__ import annotations

import msgspec

from hardware.terminal import zvt_tlv
from hardware.terminal.zvt_tlv import Tree

TLV = 0x06
_LL, _LLL = -2, -3
LENGTHS: dict[int, int] = {
    0x01: 1, 0x02: 1, 0x03: 1, 0x04: 6, 0x05: 1, 0x0B: 3, 0x0C: 3, 0x0D: 2, 0x0E: 2,
    0x17: 2, 0x19: 1, 0x22: _LL, 0x23: _LL, 0x24: _LLL, 0x27: 1, 0x29: 4, 0x2A: 15,
    0x2D: _LL, 0x2E: _LLL, 0x37: 3, 0x3A: 2, 0x3B: 8, 0x3C: _LLL, 0x3D: 3, 0x49: 2,
    0x60: _LLL, 0x70: 4, 0x71: 4, 0x72: 1, 0x73: 1, 0x74: 1, 0x75: 1, 0x87: 2, 0x88: 3,
    0x8A: 1, 0x8B: _LL, 0x8C: 1, 0x9A: _LLL, 0xA0: 1, 0xA7: _LL, 0xAA: 3, 0xAF: _LLL,
    0xBA: 5, 0xD0: 1, 0xD1: _LL, 0xD2: 1, 0xD3: 1, 0xE0: 1, 0xE9: 1, 0xEA: 1, 0xEB: 8,
    0xF0: 1, 0xF9: 1, 0xFA: 1, 0xFB: 1, 0xFC: 1, 0xFD: 1,
    **dict.fromkeys(range(0xE1, 0xE9), _LL),
    **dict.fromkeys(range(0xF1, 0xF9), _LL),
}  # fmt: skip


class Bitmaps(msgspec.Struct, frozen=True):
    """A message's bitmaps in their order, its TLV container, and whether all was read.

    `tlv_at` is the container's place among the bitmaps, `tlv_form` the bytes of its
    length; both only so that the same bytes can be written again.
    """

    values: tuple[tuple[int, bytes], ...] = ()
    tlv: Tree = ()
    is_partial: bool = False
    tlv_at: int | None = None
    tlv_form: int = 1

    def __repr__(self) -> str:
        names = " ".join(f"{name:02X}" for name, _ in self.values)
        return f"Bitmaps({names}{' partial' if self.is_partial else ''})"

    def value(self, name: int) -> bytes | None:
        """Return the first value of that name, or None."""
        for one, value in self.values:
            if one == name:
                return value
        return None

    def digits(self, name: int) -> str:
        """Return a packed decimal value as digits; empty where there is none."""
        value = self.value(name)
        return value.hex().upper() if value is not None else ""

    def number(self, name: int) -> int | None:
        """Return a packed decimal value as a number, or None where there is none."""
        digits = self.digits(name)
        return int(digits) if digits.isdecimal() else None


def parse(data: bytes) -> Bitmaps:
    """Return the bitmaps in `data`, as far as they can be read."""
    values: list[tuple[int, bytes]] = []
    tree: Tree = ()
    tlv_at: int | None = None
    form, place, is_whole = 1, 0, True
    while place < len(data) and is_whole:
        name, place = data[place], place + 1
        if name == TLV and tlv_at is None:
            length = zvt_tlv.read_length(data, place)
            if length is None or length[0] + length[1] > len(data):
                is_whole = False
                break
            size, begin = length
            tree, is_whole = zvt_tlv.parse(data[begin : begin + size])
            form, tlv_at, place = begin - place, len(values), begin + size
            continue
        found = _value(name, data, place)
        if found is None:
            is_whole = False
            break
        value, place = found
        values.append((name, value))
    return Bitmaps(tuple(values), tree, not is_whole, tlv_at, form)


def encode(bitmaps: Bitmaps) -> bytes:
    """Return the bytes of bitmaps that were read whole, or made here."""
    parts = [_encoded(name, value) for name, value in bitmaps.values]
    if bitmaps.tlv_at is not None:
        content = zvt_tlv.encode(bitmaps.tlv)
        head = bytes([TLV]) + zvt_tlv.length_of(len(content), bitmaps.tlv_form)
        parts.insert(bitmaps.tlv_at, head + content)
    return b"".join(parts)


def packed(number: int, size: int) -> bytes:
    """Return a number in `size` bytes of packed decimal."""
    text = f"{number:0{2 * size}d}"
    if number < 0 or len(text) > 2 * size:
        raise ValueError(f"{number} does not fit in {size} bytes of packed decimal")
    return bytes.fromhex(text)


def _value(name: int, data: bytes, place: int) -> tuple[bytes, int] | None:
    length = LENGTHS.get(name)
    if length is None:
        return None
    if length < 0:
        digits = -length
        head = data[place : place + digits]
        if len(head) < digits or any(byte & 0xF0 != 0xF0 for byte in head):
            return None
        if any(byte & 0x0F > 9 for byte in head):
            return None
        length = int("".join(str(byte & 0x0F) for byte in head))
        place += digits
    end = place + length
    return (data[place:end], end) if end <= len(data) else None


def _encoded(name: int, value: bytes) -> bytes:
    length = LENGTHS[name]
    if length < 0:
        digits = f"{len(value):0{-length}d}"
        head = bytes(0xF0 | int(digit) for digit in digits)
        return bytes([name]) + head + value
    if len(value) != length:
        raise ValueError(f"bitmap {name:02X} has {length} bytes, not {len(value)}")
    return bytes([name]) + value
