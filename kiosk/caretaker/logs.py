"""The system's log on its way to a USB stick: packed, and without card numbers.

No log line of ours holds a card number. Other programs log too, so whatever looks like
one is masked here once more.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec

# 13 to 19 digits, in one piece or in groups: what card numbers look like.
_CARD = re.compile(r"(?<![0-9])(?:[0-9][ -]?){12,18}[0-9](?![0-9])")
# Fields of a journal entry that carry words.
_WORDS = ("MESSAGE", "_CMDLINE", "UNIT_RESULT")
_SAY_EVERY_BYTES = 1_000_000

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def file_name(lane_id: str, at_ms: int) -> str:
    """Return the name of the file on the stick."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"stillopen-logs-{lane_id}-{moment:%Y%m%d-%H%M%S}.jsonl.gz"


def pack(
    lines: Iterable[bytes], out: BinaryIO, at_ms: int, progress: Callable[[int], None]
) -> int:
    """Write the log's lines, packed; return how many there were.

    `progress` hears how many bytes were written, now and then.
    """
    count, said = 0, 0
    with gzip.GzipFile(
        filename="", mode="wb", fileobj=out, compresslevel=6, mtime=at_ms // 1000
    ) as packed:
        for line in lines:
            packed.write(without_cards(line))
            count += 1
            if (done := out.tell()) - said >= _SAY_EVERY_BYTES:
                said = done
                progress(done)
    progress(out.tell())
    return count


def without_cards(line: bytes) -> bytes:
    """Return one journal entry in JSON with what looks like a card number masked.

    A line that is no JSON is left out: nobody knows what is in it.
    """
    try:
        entry = _decoder.decode(line)
    except msgspec.DecodeError:
        return b'{"MESSAGE":"[a line that is no JSON was left out]"}\n'
    for name in _WORDS:
        raw = entry.get(name)
        if raw is None:
            continue
        try:
            words = msgspec.json.decode(raw, type=str)
        except msgspec.DecodeError:
            # journalctl writes bytes that are no text as a list of numbers.
            words = "[not text, left out]"
        entry[name] = msgspec.Raw(msgspec.json.encode(_CARD.sub(_masked, words)))
    return msgspec.json.encode(entry) + b"\n"


def _masked(found: re.Match[str]) -> str:
    digits = re.sub(r"[^0-9]", "", found[0])
    return f"[card ...{digits[-4:]}]" if _is_luhn(digits) else found[0]


def _is_luhn(digits: str) -> bool:
    """Is the last digit the check digit of ISO/IEC 7812-1 annex B?"""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
