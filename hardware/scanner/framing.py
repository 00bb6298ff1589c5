"""Bytes of a serial scanner -> labels. Pure, bounded, and never a guess.

Two ways: by the ends that scanners are shipped with, or by the prefix and suffix that
this shop's scanners are set to, and then by nothing else.
"""

from __future__ import annotations

import msgspec

from hardware.scanner.label import (
    IDENTIFIER_BYTES,
    LONGEST_LABEL,
    refusal,
    split_identifier,
)

STX = 0x02
# ETX, TAB, LF and CR: the suffixes that scanners are shipped with.
ENDS = frozenset(b"\x03\t\n\r")
_AROUND = bytes([STX, *ENDS])
# Some scanners send no suffix. At 9600 baud a byte takes 1 ms and USB holds bytes
# back for up to 16 ms, so a gap of 50 ms is between labels, not inside one.
SILENCE_SECONDS = 0.05

# AIM identifiers whose data has a fixed length, so that two labels glued together
# without an end between them can be told apart: EAN-13 and UPC, and EAN-8.
_FIXED = {b"]E0": 13, b"]E4": 8}


class Marks(msgspec.Struct, frozen=True):
    """What a scanner is set to send around each label; empty: whatever is usual.

    With a suffix, a label without it is half a label, also after a silence.
    """

    prefix: bytes = b""
    suffix: bytes = b""


USUAL = Marks()


class Rest(msgspec.Struct, frozen=True):
    """The unfinished end of what was received.

    `is_overlong` says that its label is already lost: bytes are thrown away until
    it ends. `silent_seconds` is how long nothing has come since.
    """

    received: bytes = b""
    is_overlong: bool = False
    silent_seconds: float = 0.0


class Framed(msgspec.Struct, frozen=True):
    """What came of received bytes: labels, causes of drops, and the rest."""

    labels: tuple[bytes, ...]
    dropped: tuple[str, ...]
    rest: Rest


def frame(
    rest: Rest, received: bytes, silent_seconds: float, marks: Marks = USUAL
) -> Framed:
    """Cut `received`, which came after so much silence, into labels.

    Never holds more than the longest label and its marks: a stream without an end
    must not grow.
    """
    longest = LONGEST_LABEL + IDENTIFIER_BYTES + len(marks.prefix) + len(marks.suffix)
    labels: list[bytes] = []
    dropped: list[str] = []
    held = bytearray(rest.received)
    is_overlong = rest.is_overlong

    def finish(has_end: bool) -> None:
        nonlocal is_overlong
        if is_overlong:
            dropped.append("too long")
        elif marks.suffix and not has_end:
            # The other half of CR LF is no label.
            dropped.extend(["without its suffix"] if held.strip(_AROUND) else [])
        else:
            _take(_unmarked(bytes(held), marks), labels, dropped)
        held.clear()
        is_overlong = False

    silent = rest.silent_seconds + silent_seconds
    if silent >= SILENCE_SECONDS and (held or is_overlong):
        finish(has_end=False)
    for byte in received:
        if not marks.suffix and _is_end(byte, marks):
            if held or is_overlong:
                finish(has_end=True)
            continue
        if is_overlong and not marks.suffix:
            continue
        held.append(byte)
        if marks.suffix and held.endswith(marks.suffix):
            del held[-len(marks.suffix) :]
            finish(has_end=True)
        elif is_overlong or len(held) > longest:
            # Only what may be the begin of a suffix is worth keeping.
            del held[: len(held) - max(len(marks.suffix) - 1, 0)]
            is_overlong = True
    left = Rest(bytes(held), is_overlong, 0.0 if received else silent)
    return Framed(tuple(labels), tuple(dropped), left)


def _is_end(byte: int, marks: Marks) -> bool:
    return byte in ENDS or (byte == STX and STX not in marks.prefix)


def _unmarked(held: bytes, marks: Marks) -> bytes | None:
    """Return what stands within the marks; None where the prefix is missing."""
    if marks.prefix and held.startswith(marks.prefix):
        return held[len(marks.prefix) :]
    bare = held.lstrip(_AROUND) if marks.suffix else held
    if not marks.prefix or not bare:
        return bare
    return bare[len(marks.prefix) :] if bare.startswith(marks.prefix) else None


def _take(held: bytes | None, labels: list[bytes], dropped: list[str]) -> None:
    if held is None:
        dropped.append("without its prefix")
        return
    for label in _unglued(held):
        if cause := refusal(label):
            dropped.append(cause)
        else:
            labels.append(label)


def _unglued(label: bytes) -> list[bytes]:
    """Cut labels of fixed length apart where another identifier follows at once."""
    cut = []
    while (length := _FIXED.get(label[:3])) and _begins_label(label[3 + length :]):
        cut.append(label[: 3 + length])
        label = label[3 + length :]
    return [*cut, label] if label else cut


def _begins_label(data: bytes) -> bool:
    return split_identifier(data)[0] != ""
