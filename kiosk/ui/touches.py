"""Which touches count: a child's five fingers and a bouncing panel must buy nothing.

Pure: told what happened and when, says whether a tap is one.
"""

from __future__ import annotations

# A palm or a playing child; people use one finger, sometimes a second by accident.
MOST_FINGERS = 2
# Shorter contacts are electrical ghosts, not fingers. Told by frames: what begins and
# ends within one longer than this may have been either, and is taken for a finger.
SHORTEST_TAP_SECONDS = 0.04
# The same button again so soon is a bounce (EN 301 549, 5.8).
REPEAT_SECONDS = 0.3
# Keys are honestly struck twice in a row: "11" must not lose a digit.
KEY_REPEAT_SECONDS = 0.12
# A button that costs money must have been seen before it can be hit.
GUARD_SECONDS = 0.5


class Touches:
    """The fingers on the glass now, and the last tap."""

    def __init__(self) -> None:
        self._down: dict[object, float] = {}
        self._is_crowded = False
        self._last_name = ""
        self._last_at = float("-inf")

    def down(self, finger: object, at: float) -> bool:
        """Note a finger; return whether its touch may become a tap."""
        self._down[finger] = at
        if len(self._down) > MOST_FINGERS:
            self._is_crowded = True
        return not self._is_crowded

    def up(self, finger: object, at: float, frame_seconds: float) -> bool:
        """Note that a finger left; return whether it was a tap at all.

        `frame_seconds` is how long nobody had looked at the glass before.
        """
        since = self._down.pop(finger, None)
        was_crowded = self._is_crowded
        if not self._down:
            self._is_crowded = False
        if since is None or was_crowded:
            return False
        return max(at - since, frame_seconds) >= SHORTEST_TAP_SECONDS

    def counts(
        self,
        name: str,
        at: float,
        *,
        appeared_at: float,
        is_guarded: bool,
        is_key: bool,
    ) -> bool:
        """Return whether a tap on this button counts, and remember it if so."""
        if is_guarded and at - appeared_at < GUARD_SECONDS:
            return False
        pause = KEY_REPEAT_SECONDS if is_key else REPEAT_SECONDS
        if name == self._last_name and at - self._last_at < pause:
            return False
        self._last_name, self._last_at = name, at
        return True
