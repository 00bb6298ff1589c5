"""The simulated speaker: it remembers what could be heard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from hardware.ports import DeviceState
from hardware.simulated.cable import Cable
from hardware.simulated.control import Control

# A lane that runs for weeks must not remember for weeks.
_LONGEST_MEMORY = 1000


class SimulatedSpeaker:
    """Beeps and speaks to whoever asks; unplugged, nobody hears anything.

    A beep is heard as its name, speech as `language: text`.
    """

    def __init__(self) -> None:
        self._cable: Cable[DeviceState] = Cable("speaker")
        self._change = threading.Condition()
        self._heard: list[str] = []
        self._can_be_heard = True

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            **self._cable.controls,
            "heard": self.heard,
            "wait_for": self.wait_for,
            "unplug": self.unplug,
            "plug": self.plug,
        }

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Find the sound; returns at once."""
        self._cable.open(emit)

    def play(self, sound: str) -> None:
        """Play a short sound by name."""
        self._hear(sound)

    def say(self, text: str, language: str) -> None:
        """Speak `text`; what was being said stops."""
        self._hear(f"{language}: {text}")

    def hush(self) -> None:
        """Stop speaking at once: it speaks in no time, so there is nothing to stop."""

    def close(self) -> None:
        """Be silent and let go."""
        self._cable.close()

    def unplug(self) -> None:
        """Pull its cable."""
        self._cable.unplug()
        self._can_be_heard = False

    def plug(self) -> None:
        """Put the cable back: what was played meanwhile is not heard later."""
        self._cable.plug()
        self._can_be_heard = True

    def heard(self) -> list[str]:
        """Return what could be heard, oldest first."""
        with self._change:
            return list(self._heard)

    def wait_for(self, sound: str, seconds: float = 5.0) -> bool:
        """Wait until `sound` was heard; say whether it was."""
        with self._change:
            return self._change.wait_for(lambda: sound in self._heard, seconds)

    def _hear(self, sound: str) -> None:
        if not self._can_be_heard:
            return
        with self._change:
            self._heard.append(sound)
            del self._heard[:-_LONGEST_MEMORY]
            self._change.notify_all()
