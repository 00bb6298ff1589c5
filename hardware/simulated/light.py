"""The simulated lane light: it remembers what it showed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from hardware.ports import DeviceState, Light
from hardware.simulated.cable import Cable
from hardware.simulated.control import Control


class SimulatedLight:
    """Shows a colour to whoever asks; unplugged, it shows nothing to anybody.

    Its history is what could be seen across the shop.
    """

    def __init__(self) -> None:
        self._cable: Cable[DeviceState] = Cable("light")
        self._change = threading.Condition()
        self._wanted = Light.OFF
        self._history: list[Light] = [Light.OFF]
        self._can_be_seen = True

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            **self._cable.controls,
            "showing": self.showing,
            "history": self.history,
            "wait_for": self.wait_for,
            "unplug": self.unplug,
            "plug": self.plug,
        }

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Find the light; returns at once."""
        self._cable.open(emit)

    def close(self) -> None:
        """Switch it off and let go."""
        self.show(Light.OFF)
        self._cable.close()

    def show(self, light: Light) -> None:
        """Show `light` until told otherwise. Never blocks long, never raises."""
        with self._change:
            self._wanted = light
            self._look()

    def unplug(self) -> None:
        """Pull its cable: it goes dark."""
        self._cable.unplug()
        with self._change:
            self._can_be_seen = False
            self._look()

    def plug(self) -> None:
        """Put the cable back: it shows what was last wanted."""
        self._cable.plug()
        with self._change:
            self._can_be_seen = True
            self._look()

    def showing(self) -> Light:
        """Return what is to be seen now."""
        return self._history[-1]

    def history(self) -> list[Light]:
        """Return what was to be seen, oldest first, each change once."""
        with self._change:
            return list(self._history)

    def wait_for(self, light: str, seconds: float = 5.0) -> bool:
        """Wait until it shows `light`; say whether it does."""
        with self._change:
            return self._change.wait_for(
                lambda: self._history[-1] is Light(light), seconds
            )

    def _look(self) -> None:
        seen = self._wanted if self._can_be_seen else Light.OFF
        if seen is not self._history[-1]:
            self._history.append(seen)
            self._change.notify_all()
