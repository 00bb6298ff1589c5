"""The envelope of every ZVT message: two control bytes, a length, the data. Pure.

PA00P015, chapter 1. Knows no message's meaning and no transport.
"""

from __future__ import annotations

import msgspec

# FF as a length byte announces two more, the low one first.
_LONG = 0xFF
# Class bytes that either side of a ZVT wire sends. Anything else is no ZVT: TCP gives
# no place to start again, so the link is closed.
_CLASSES = frozenset({0x04, 0x05, 0x06, 0x08, 0x0F, 0x80, 0x84})


class Apdu(msgspec.Struct, frozen=True):
    """One message. Its data may hold card data: only the codec reads it."""

    control: int
    data: bytes = b""

    def __repr__(self) -> str:
        return f"Apdu({self.control:04X}, {len(self.data)} bytes)"

    def encode(self) -> bytes:
        """Return the message as it stands on the wire."""
        size = len(self.data)
        length = (
            bytes([size])
            if size < _LONG
            else bytes([_LONG]) + size.to_bytes(2, "little")
        )
        return self.control.to_bytes(2, "big") + length + self.data


class NoZvt(msgspec.Struct, frozen=True):
    """What came is no ZVT. `cause` holds no byte of it."""

    cause: str


def split(received: bytes) -> tuple[list[Apdu], bytes, NoZvt | None]:
    """Cut received bytes into whole messages and the unfinished rest.

    A message is at most 65,540 bytes, so that the rest cannot grow without end.
    """
    whole: list[Apdu] = []
    while received:
        if received[0] not in _CLASSES:
            return whole, b"", NoZvt("a message of an unknown class")
        found = _first(received)
        if found is None:
            break
        apdu, size = found
        whole.append(apdu)
        received = received[size:]
    return whole, received, None


def _first(received: bytes) -> tuple[Apdu, int] | None:
    if len(received) < 3:
        return None
    begin, size = 3, received[2]
    if size == _LONG:
        if len(received) < 5:
            return None
        begin, size = 5, int.from_bytes(received[3:5], "little")
    end = begin + size
    if len(received) < end:
        return None
    return Apdu(int.from_bytes(received[:2], "big"), received[begin:end]), end
