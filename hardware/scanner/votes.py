"""Which codes of which frames become scans, and which were taken already.

Time is passed in. Lives on the lane's side: a camera process that dies must not
double an item. It will never know what an item is: it may ask whether a text is
known.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hardware.scanner.camera_wire import Box, Code, Frame, is_same_place
from hardware.scanner.label import article

# A label is taken again when it was out of view for so long.
HOLD_SECONDS = 1.5
# A second frame must confirm an unknown code within this time.
CONFIRM_SECONDS = 2.0
# So long a pack that was read is taken to be where it was.
SHADOW_SECONDS = 0.5
# Of the time between two frames, no more counts as looking: a blind camera does
# not see that a label left.
LONGEST_LOOK_SECONDS = 0.5
CONCURRING_READS = 2
# A hostile camera process must not grow the lane.
MOST_REMEMBERED = 256


class _Sight(msgspec.Struct, frozen=True):
    """Where, when and in which picture a code was seen."""

    at: float
    box: Box
    picture: int


class Votes:
    """Remembers what the camera saw, and decides what is a scan.

    `is_known` says whether a label's text names something; without it, every code
    is unknown. A known code needs one frame, an unknown one a second that differs:
    of 65 wrong readings of real pictures, no catalogue knew one.
    """

    def __init__(
        self,
        is_known: Callable[[str], bool] | None = None,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        self._is_known = is_known
        self._hold_seconds = hold_seconds
        self._looked = 0.0
        self._frame_at: float | None = None
        self._held: dict[str, _Sight] = {}
        self._once: dict[str, _Sight] = {}

    def take(self, frame: Frame, now: float) -> list[Code]:
        """Return the codes of a frame that are scans now."""
        if self._frame_at is not None:
            self._looked += min(max(now - self._frame_at, 0.0), LONGEST_LOOK_SECONDS)
        self._frame_at = now
        _forget(self._held, self._looked - self._hold_seconds)
        _forget(self._once, self._looked - CONFIRM_SECONDS)
        return [code for code in frame.codes if self._accepts(code, frame)]

    def _accepts(self, code: Code, frame: Frame) -> bool:
        name = article(code.norm, code.symbology)
        sight = _Sight(self._looked, code.box, frame.picture)
        if name in self._held:
            _remember(self._held, name, sight)
            return False
        is_known = self._is_known is not None and self._is_known(code.text)
        if not (is_known and code.reads >= CONCURRING_READS):
            if self._is_shadow(code):
                return False
            once = self._once.get(name)
            if once is None:
                _remember(self._once, name, sight)
                return False
            if once.picture == frame.picture:
                return False
        self._once.pop(name, None)
        _remember(self._held, name, sight)
        return True

    def _is_shadow(self, code: Code) -> bool:
        """Tell whether another label was just read at the place of this code."""
        return any(
            self._looked - sight.at < SHADOW_SECONDS
            and is_same_place(sight.box, code.box)
            for sight in self._held.values()
        )


def _forget(sights: dict[str, _Sight], before: float) -> None:
    for name in [name for name, sight in sights.items() if sight.at <= before]:
        del sights[name]


def _remember(sights: dict[str, _Sight], name: str, sight: _Sight) -> None:
    sights.pop(name, None)
    sights[name] = sight
    if len(sights) > MOST_REMEMBERED:
        del sights[next(iter(sights))]
