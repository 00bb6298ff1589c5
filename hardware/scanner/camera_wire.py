"""What the camera process tells the lane, and how it stands on the wire.

The lane takes the process for hostile, since it parses what strangers hold up: all
is bounded here, and nothing is trusted to be in order. It loads no reader of
pictures, so the lane may import it.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from hardware.scanner.label import LONGEST_LABEL

# A frame of the most codes, each the longest label in four-byte letters twice.
MOST_MESSAGE_BYTES = 256 * 1024
MOST_CODES = 8
MOST_VIEW_SIDE = 400
_LENGTH_BYTES = 4

_Pixel: TypeAlias = Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)]
Box: TypeAlias = tuple[_Pixel, _Pixel, _Pixel, _Pixel]
_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_LABEL)]
_Word: TypeAlias = Annotated[str, msgspec.Meta(max_length=16, pattern=r"^[\]\w-]*$")]


class Code(msgspec.Struct, frozen=True):
    """A code seen in a frame.

    `symbology` is the AIM identifier, empty where the reader cannot tell; `norm`
    the GTIN-14, or the bare element string or text; `box` left, top, right, bottom
    in the frame's pixels; `reads` how many readings concur.
    """

    kind: _Word
    symbology: _Word
    text: _Text
    norm: _Text
    box: Box
    reads: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Frame(msgspec.Struct, frozen=True, tag="frame"):
    """One frame was looked at. It is the heartbeat too: most frames have no code.

    `picture` is the same for two frames without a changed pixel, as a camera that
    hangs delivers them.
    """

    picture: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
    codes: Annotated[tuple[Code, ...], msgspec.Meta(max_length=MOST_CODES)] = ()


class NoPicture(msgspec.Struct, frozen=True, tag="no_picture"):
    """There is no camera to look through. Told again and again while it is so."""

    detail: Annotated[str, msgspec.Meta(max_length=500)]


_Share: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Side: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MOST_VIEW_SIDE)]


class View(msgspec.Struct, frozen=True, tag="view"):
    """A frame in small, for the screen: one byte of grey a pixel, row by row.

    Not packed as JPEG: the lane must never unpack what this process made. Outlines are
    the corners of the codes found, in shares of width and height.
    """

    width: _Side
    height: _Side
    grey: Annotated[bytes, msgspec.Meta(max_length=MOST_VIEW_SIDE**2)]
    outlines: Annotated[
        tuple[
            Annotated[tuple[tuple[_Share, _Share], ...], msgspec.Meta(max_length=4)],
            ...,
        ],
        msgspec.Meta(max_length=MOST_CODES),
    ] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether there is a byte for each pixel."""
        return len(self.grey) == self.width * self.height


Message: TypeAlias = Frame | NoPicture | View


class BrokenWire(OSError):
    """The stream lost its order: nothing that follows can be understood."""


def pack(message: Message) -> bytes:
    """Return a message as it stands on the wire: its length, then MessagePack."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Unpacker:
    """Cuts the stream into messages, and counts those that are not understood."""

    def __init__(self) -> None:
        self.refused = 0
        self._held = b""

    def feed(self, received: bytes) -> list[Message]:
        """Return the messages that are whole now.

        Raises `BrokenWire` at a length that no message has.
        """
        self._held += received
        messages: list[Message] = []
        while len(self._held) >= _LENGTH_BYTES:
            length = int.from_bytes(self._held[:_LENGTH_BYTES], "big")
            if length > MOST_MESSAGE_BYTES:
                raise BrokenWire(f"camera process sent a message of {length} bytes")
            end = _LENGTH_BYTES + length
            if len(self._held) < end:
                break
            body, self._held = self._held[_LENGTH_BYTES:end], self._held[end:]
            try:
                messages.append(msgspec.msgpack.decode(body, type=Message))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.refused += 1
        return messages


def is_same_place(one: Box, other: Box) -> bool:
    """Tell whether the middle of either box lies in the other, with some room."""
    return _holds(one, other) or _holds(other, one)


def _holds(outer: Box, inner: Box) -> bool:
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    # A linear code may be found as one thin line: such a box needs room around it.
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    room = max(max(width, height) / 4 - min(width, height) / 2, 4.0)
    return (
        outer[0] - room <= x <= outer[2] + room
        and outer[1] - room <= y <= outer[3] + room
    )
