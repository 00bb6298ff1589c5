"""What several readers said of one frame -> what is accepted.

Pure. It will never accept a linear code that was read once, unless our own reader of
lines was very sure, nor one of two different numbers at the same place unless the
votes are clear.
"""

from __future__ import annotations

from hardware.scanner.camera_wire import MOST_CODES, Code, is_same_place
from hardware.scanner.readers import LINES, SURE_KINDS, Reading

# The votes that accept a code: two that concur, and more than twice any rival's.
ENOUGH_VOTES = 2
# Eight bands of a label that agree weigh more than one rival reading, less than two.
_LINES_VOTES = 3


def vote(readings: list[Reading]) -> list[Code]:
    """Return the codes that the readings of one frame accept."""
    codes = [code for place in places(readings) if (code := _winner(place))]
    return sorted(codes, key=lambda code: code.box[1])[:MOST_CODES]


def places(readings: list[Reading]) -> list[list[Reading]]:
    """Group readings that are of one label, or rivals for it."""
    found: list[list[Reading]] = []
    for reading in readings:
        for place in found:
            if any(_are_of_one_label(reading, other) for other in place):
                place.append(reading)
                break
        else:
            found.append([reading])
    return found


def is_clear(place: list[Reading]) -> bool:
    """Tell whether a place has enough votes for one number and none for another."""
    tally = _tallied(place)
    return len(tally) == 1 and tally[0][1] >= ENOUGH_VOTES


def _are_of_one_label(one: Reading, other: Reading) -> bool:
    if one.kind in SURE_KINDS or other.kind in SURE_KINDS:
        # Nobody mistakes one of these for something else: two that overlap, as
        # upright boxes of turned labels do, are two labels.
        return one.norm == other.norm
    return is_same_place(one.box, other.box)


def _tallied(place: list[Reading]) -> list[tuple[str, int]]:
    """Return each number read at a place with its votes, most first."""
    # All readers see a UPC-E in half of an EAN-13, zbar in half of anything: it
    # counts where another sees it too, and never beside an EAN-13.
    of_upce = {reading.reader for reading in place if reading.kind == "upce"}
    if not of_upce & {"zxing", LINES} or any(one.kind == "ean13" for one in place):
        place = [reading for reading in place if reading.kind != "upce"]
    votes: dict[str, int] = {}
    for reading in place:
        votes[reading.norm] = votes.get(reading.norm, 0) + _weight(reading)
    return sorted(votes.items(), key=lambda vote: -vote[1])


def _weight(reading: Reading) -> int:
    if reading.reader == LINES:
        return _LINES_VOTES
    return ENOUGH_VOTES if reading.kind in SURE_KINDS else 1


def _winner(place: list[Reading]) -> Code | None:
    """Return the code that the votes of one place accept."""
    tally = _tallied(place)
    if not tally:
        return None
    norm, votes = tally[0]
    rival = tally[1][1] if len(tally) > 1 else 0
    if votes < max(ENOUGH_VOTES, 2 * rival + 1):
        return None
    agreed = [reading for reading in place if reading.norm == norm]
    # zxing-cpp knows the symbology where zbar does not.
    best = max(agreed, key=lambda reading: len(reading.symbology))
    return Code(best.kind, best.symbology, best.text, norm, best.box, votes)
