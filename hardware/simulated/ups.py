"""The simulated UPS: the mains goes, the battery empties, the mains returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from hardware.ports import DeviceState, Power, PowerSource
from hardware.simulated.cable import Cable
from hardware.simulated.control import Control

# A small UPS under a lane's load; what is left when it calls its battery low.
FULL_SECONDS = 1800
LOW_SECONDS = 300


class SimulatedUps:
    """Tells where the current comes from, and remembers orders to shut down."""

    def __init__(self) -> None:
        self._cable: Cable[Power] = Cable("ups", Power(PowerSource.MAINS))
        self._change = threading.Condition()
        self._orders = 0

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            "mains_lost": self.mains_lost,
            "battery_low": self.battery_low,
            "mains_back": self.mains_back,
            "orders": self.orders,
            "wait_for_order": self.wait_for_order,
            **self._cable.controls,
        }

    def open(self, emit: Callable[[Power | DeviceState], None]) -> None:
        """Start watching; returns at once."""
        self._cable.open(emit)

    def close(self) -> None:
        """Stop watching."""
        self._cable.close()

    def order_shutdown(self) -> None:
        """Note that a safe shutdown was asked for. This machine stays up."""
        with self._change:
            self._orders += 1
            self._change.notify_all()

    def mains_lost(self, runtime_seconds: int | None = FULL_SECONDS) -> None:
        """Pull the plug; None: a UPS that cannot tell how long it lasts."""
        self._cable.tell(Power(PowerSource.BATTERY, runtime_seconds))

    def battery_low(self, runtime_seconds: int | None = LOW_SECONDS) -> None:
        """Let the battery near its end."""
        self._cable.tell(Power(PowerSource.LOW, runtime_seconds))

    def mains_back(self) -> None:
        """Put the plug back."""
        self._cable.tell(Power(PowerSource.MAINS))

    def orders(self) -> int:
        """Return how often a shutdown was asked for."""
        return self._orders

    def wait_for_order(self, seconds: float = 5.0) -> bool:
        """Wait until a shutdown was asked for; say whether it was."""
        with self._change:
            return self._change.wait_for(lambda: self._orders > 0, seconds)
