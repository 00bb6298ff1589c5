"""The lane's time limits on the monotonic clock: set, cancelled, posted when up.

A wall clock that jumps moves none of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kiosk.domain.events import TimeLimitReached


class Timers:
    """Posts `TimeLimitReached` for each timer that runs out, from its own thread."""

    def __init__(self, post: Callable[[TimeLimitReached], None]) -> None:
        self._post = post
        self._due: dict[str, tuple[float, int]] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="timers", daemon=True).start()

    def set(self, name: str, generation: int, seconds: float) -> None:
        """Start a timer, in place of one of the same name."""
        with self._changed:
            self._due[name] = (time.monotonic() + seconds, generation)
            self._changed.notify()

    def cancel(self, name: str) -> None:
        """Stop a timer, if it runs."""
        with self._changed:
            self._due.pop(name, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                up = [n for n, (at, _) in self._due.items() if at <= now]
                events = [TimeLimitReached(n, self._due.pop(n)[1]) for n in up]
                if not events:
                    soonest = min((at for at, _ in self._due.values()), default=None)
                    self._changed.wait(None if soonest is None else soonest - now)
            for event in events:
                self._post(event)
