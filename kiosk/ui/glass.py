"""Fingers on a touch panel: what SDL reports of them reaches Kivy on a kiosk too.

Kivy's window throws SDL's finger events away but on phones, since desktops send a mouse
as well; here SDL sends none (`environment.py`). Knows nothing of what is under a finger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

_FINGER = ("fingerdown", "fingermotion", "fingerup")


class Glass:
    """SDL's window as Kivy holds it, with its fingers passed on.

    `inputs` are Kivy's: the window put the one that takes SDL's fingers among them.
    """

    def __init__(self, window: Any, inputs: Iterable[Any]) -> None:
        self._window = window
        self._fingers: deque[Any] = next(one.q for one in inputs if one.device == "sdl")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._window, name)

    def poll(self) -> Any:
        """Return SDL's next event: a tuple, None for one without meaning, or False."""
        event = self._window.poll()
        if event and event[0] in _FINGER:
            self._fingers.appendleft(event)
        return event
