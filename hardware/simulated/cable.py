"""What is between a simulated device and the lane: it can be pulled, slow, silent.

Every simulator that lives in the lane's process hangs on one of these, so that
all of them fail alike.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from hardware.ports import DeviceState, Health
from hardware.simulated.control import Control

Told = TypeVar("Told")


class Cable(Generic[Told]):
    """Carries what a device tells, in order, on a thread of its own.

    Only changes are carried. What the device would tell while it is silent or
    unplugged is not carried later; the newest of it is, as a driver that polls
    would learn it. A device that tells nothing but its health has no `first`.
    """

    def __init__(self, device: str, first: Told | None = None) -> None:
        self._device = device
        self._now: Told | None = first
        self._carried: Told | None = None
        self._delay_seconds = 0.0
        self._is_plugged = True
        self._is_silent = False
        self._emit: Callable[[Told | DeviceState], None] | None = None
        self._under_way: queue.SimpleQueue[tuple[Told | DeviceState, float] | None] = (
            queue.SimpleQueue()
        )
        self._turn = threading.RLock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def controls(self) -> Mapping[str, Control]:
        """The faults that every device has."""
        return {
            "unplug": self.unplug,
            "plug": self.plug,
            "silence": self.silence,
            "speak": self.speak,
            "slow": self.slow,
        }

    def open(self, emit: Callable[[Told | DeviceState], None]) -> None:
        """Begin to carry: the device's health first, then what it tells now."""
        with self._turn:
            self._closing.clear()
            self._under_way = queue.SimpleQueue()
            self._emit = emit
            self._carried = None
            self._thread = threading.Thread(
                target=self._run, args=(emit,), name=self._device, daemon=True
            )
            self._thread.start()
            self._send(self._state())
            self._carry()

    def close(self) -> None:
        """Carry no more; returns when the thread has ended."""
        with self._turn:
            thread, self._thread, self._emit = self._thread, None, None
            self._closing.set()
            self._under_way.put(None)
        if thread is not None:
            thread.join()

    def tell(self, told: Told) -> None:
        """Carry what the device now has to tell, if it differs."""
        with self._turn:
            self._now = told
            self._carry()

    def unplug(self) -> None:
        """Pull the cable."""
        self._become(is_plugged=False, is_silent=self._is_silent)

    def plug(self) -> None:
        """Put it back."""
        self._become(is_plugged=True, is_silent=self._is_silent)

    def silence(self) -> None:
        """Let the device stop answering, with the cable in."""
        self._become(is_plugged=self._is_plugged, is_silent=True)

    def speak(self) -> None:
        """Let it answer again."""
        self._become(is_plugged=self._is_plugged, is_silent=False)

    def slow(self, ms: int) -> None:
        """Carry everything so much later from now on."""
        self._delay_seconds = ms / 1000

    def _become(self, *, is_plugged: bool, is_silent: bool) -> None:
        with self._turn:
            before = self._state()
            self._is_plugged, self._is_silent = is_plugged, is_silent
            if self._state() != before:
                self._send(self._state())
            self._carry()

    def _state(self) -> DeviceState:
        if not self._is_plugged:
            return DeviceState(Health.ABSENT, f"{self._device} unplugged")
        if self._is_silent:
            return DeviceState(Health.ABSENT, f"{self._device} does not answer")
        return DeviceState(Health.READY)

    def _carry(self) -> None:
        if self._state().health is not Health.READY:
            return
        if self._now is not None and self._now != self._carried:
            self._carried = self._now
            self._send(self._now)

    def _send(self, told: Told | DeviceState) -> None:
        if self._emit is not None:
            self._under_way.put((told, self._delay_seconds))

    def _run(self, emit: Callable[[Told | DeviceState], None]) -> None:
        under_way = self._under_way
        while (carried := under_way.get()) is not None:
            told, delay_seconds = carried
            if delay_seconds and self._closing.wait(delay_seconds):
                return
            emit(told)
