"""Tells systemd that the lane is on the glass, and that it is alive: sd_notify(3).

Says only what was seen: the first frame, and each second that a frame reached the glass
over a lane that is not stuck. Where no systemd listens, nothing is said.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# The longest thing that the lane's thread does at once is to close a day of 2,000 sales:
# under a second. A disk that needs longer for one entry is as good as gone.
STUCK_SECONDS = 20.0


class Notifier:
    """What this process says to the one that started it."""

    def __init__(
        self,
        busy_seconds: Callable[[], float],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._busy_seconds = busy_seconds
        address = environ.get("NOTIFY_SOCKET", "")
        # An address that begins with @ has no name in any folder: unix(7).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._is_ready = self._is_stuck = self._is_drawn = False

    def drawn(self, _number: int) -> None:
        """A frame of the newest state is on the glass."""
        self._is_drawn = True
        if not self._is_ready:
            self._is_ready = True
            self._say("READY=1")

    def second(self) -> bool:
        """A second went by: say so if a frame came, unless the lane behind it is stuck.

        The screen draws each second, whatever it shows. Returns whether both live.
        """
        is_drawn, self._is_drawn = self._is_drawn, False
        busy = self._busy_seconds()
        if busy < STUCK_SECONDS:
            self._is_stuck = False
            if is_drawn:
                self._say("WATCHDOG=1")
            return is_drawn
        if not self._is_stuck:
            self._is_stuck = True
            log.error("the lane has been busy for %.0f s with one event", busy)
        return False

    def _say(self, words: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            try:
                link.sendto(words.encode(), self._address)
            except OSError as error:
                log.warning("systemd did not hear %s: %s", words, error)
