"""ZVT's serial frames: DLE STX, doubled DLE, CRC, ACK and NAK. Pure, without a port.

PA00P016. The CRC is CRC-16/KERMIT over the message and the ETX behind it: the
specification's words give another one, real captures agree on this.
"""

from __future__ import annotations

import binascii

import msgspec

DLE, STX, ETX = 0x10, 0x02, 0x03
ACK, NAK = 0x06, 0x15
# The longest message and each of its bytes doubled.
_LONGEST = 2 * 65_545


class Frame(msgspec.Struct, frozen=True):
    """A whole frame. `is_good` is False where its check is wrong."""

    content: bytes
    is_good: bool

    def __repr__(self) -> str:
        return f"Frame({len(self.content)} bytes, {'good' if self.is_good else 'bad'})"


class Sign(msgspec.Struct, frozen=True):
    """The other side's word on our frame."""

    is_ack: bool


def crc(content: bytes) -> int:
    """Return CRC-16/KERMIT: 0x1021 reflected, starting at 0."""
    reflected = bytes(_REFLECTED[byte] for byte in content)
    value = binascii.crc_hqx(reflected, 0)
    return _REFLECTED[value >> 8] | _REFLECTED[value & 0xFF] << 8


def encode(content: bytes) -> bytes:
    """Return a message as a frame."""
    doubled = content.replace(bytes([DLE]), bytes([DLE, DLE]))
    check = crc(content + bytes([ETX])).to_bytes(2, "little")
    return bytes([DLE, STX]) + doubled + bytes([DLE, ETX]) + check


def split(received: bytes) -> tuple[list[Frame | Sign], bytes]:
    """Cut received bytes into frames and signs, and the unfinished rest.

    Noise between frames is dropped, and so is a frame longer than any message.
    """
    found: list[Frame | Sign] = []
    while received:
        head = received[0]
        if head in (ACK, NAK):
            found.append(Sign(head == ACK))
            received = received[1:]
        elif head != DLE or (len(received) > 1 and received[1] != STX):
            received = received[1:]
        else:
            frame = _frame(received)
            if frame is None:
                return found, received if len(received) <= _LONGEST else b""
            content, size, is_good = frame
            found.append(Frame(content, is_good))
            received = received[size:]
    return found, b""


def _frame(received: bytes) -> tuple[bytes, int, bool] | None:
    content = bytearray()
    place = 2
    while place + 1 < len(received):
        byte = received[place]
        if byte != DLE:
            content.append(byte)
            place += 1
            continue
        after = received[place + 1]
        if after == DLE:
            content.append(DLE)
            place += 2
        elif after == ETX:
            if len(received) < place + 4:
                return None
            told = int.from_bytes(received[place + 2 : place + 4], "little")
            return bytes(content), place + 4, told == crc(bytes(content) + bytes([ETX]))
        else:
            # Neither doubled nor the end: what follows is another frame, or noise.
            return bytes(content), place, False
    return None


_REFLECTED = [int(f"{byte:08b}"[::-1], 2) for byte in range(256)]
