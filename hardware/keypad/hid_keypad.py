"""Reads an audio navigation keypad (USB HID), for the hand that cannot use the screen.

The device is chosen by vendor and product and grabbed, so that its arrows and F keys
reach no console and no compositor; it is looked for again when it is unplugged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Protocol

from hardware.input_device import KeyEvent
from hardware.keypad.keys import KeypadKeys
from hardware.ports import TAMPERING, DeviceState, Health, KeyPress

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
# A flood of strange keys is one alarm in so long, with its count.
TELL_SECONDS = 5.0
_READ_SECONDS = 0.1


class Keys(Protocol):
    """A grabbed device (`InputDevice`)."""

    def read(self, seconds: float) -> list[KeyEvent]: ...

    def close(self) -> None: ...


class HidKeypad:
    """One keypad, looked for until it is closed."""

    def __init__(
        self,
        connect: Callable[[], Keys],
        codes: Mapping[str, int],
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._connect = connect
        self._codes = codes
        self._reconnect_seconds = reconnect_seconds
        self._emit: Callable[[KeyPress | DeviceState], None] = lambda told: None
        self._state: DeviceState | None = None
        self._strange = 0
        self._told_at = float("-inf")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[KeyPress | DeviceState], None]) -> None:
        """Start listening; returns at once."""
        self._emit = emit
        self._state = None
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="keypad", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; returns when the driver's thread has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with closing(self._connect()) as device:
                    self._tell(DeviceState(Health.READY))
                    self._read(device)
            except OSError as error:
                self._tell(DeviceState(Health.ABSENT, str(error)))
            self._stop.wait(self._reconnect_seconds)

    def _read(self, device: Keys) -> None:
        keys = KeypadKeys(self._codes)
        code = 0
        while not self._stop.is_set():
            pressed = keys.hear(device.read(_READ_SECONDS))
            for key in pressed.keys:
                self._emit(KeyPress(key))
            self._strange += pressed.strange
            code = pressed.strange_code or code
            if self._strange and time.monotonic() - self._told_at >= TELL_SECONDS:
                self._told_at = time.monotonic()
                words = (
                    f"{self._strange} keys are not in keys, the last has code {code}"
                )
                self._strange = 0
                self._tell(DeviceState(Health.DEGRADED, words, TAMPERING))

    def _tell(self, state: DeviceState) -> None:
        if state != self._state:
            self._state = state
            if state.health is not Health.READY:
                log.warning("keypad: %s", state.detail)
            self._emit(state)
