"""Reads labels from a scanner that types them like a keyboard (USB HID).

The device is chosen by vendor and product, grabbed before anything it types is
believed, and looked for again when it is unplugged. Never a source of keystrokes for
anybody else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from hardware.input_device import KeyEvent
from hardware.ports import TAMPERING, DeviceState, Health, Scan
from hardware.scanner.hid_codec import HidKeys
from hardware.scanner.hid_layouts import KeyMap
from hardware.scanner.label import refusal, split_identifier

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
# A flood of forbidden keys is one alarm in so long, with its count.
TELL_SECONDS = 5.0
_READ_SECONDS = 0.1


class Keys(Protocol):
    """A grabbed device (`InputDevice`)."""

    def read(self, seconds: float) -> list[KeyEvent]: ...

    def close(self) -> None: ...


class HidScanner:
    """One scanner, looked for until it is closed."""

    def __init__(
        self,
        connect: Callable[[], Keys],
        keys: KeyMap,
        accepts_gs: bool,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._connect = connect
        self._keys = keys
        self._accepts_gs = accepts_gs
        self._reconnect_seconds = reconnect_seconds
        self._emit: Callable[[Scan | DeviceState], None] = lambda told: None
        self._state: DeviceState | None = None
        self._tampered = 0
        self._told_at = float("-inf")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        """Start reading; returns at once."""
        self._emit = emit
        self._state = None
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._run, name="hid-scanner", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop reading; returns when the driver's thread has ended."""
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
        typed = HidKeys(self._keys, self._accepts_gs)
        while not self._stop.is_set():
            heard = typed.hear(device.read(_READ_SECONDS))
            for label in heard.labels:
                symbology, data = split_identifier(label)
                if why := refusal(data):
                    log.warning("a label was dropped: %s", why)
                else:
                    self._emit(Scan(data, symbology))
            self._tampered += heard.tampered
            if self._tampered and time.monotonic() - self._told_at >= TELL_SECONDS:
                self._told_at = time.monotonic()
                words = f"it typed {self._tampered} keys that no label has"
                self._tampered = 0
                self._tell(DeviceState(Health.DEGRADED, words, TAMPERING))

    def _tell(self, state: DeviceState) -> None:
        if state != self._state:
            self._state = state
            if state.health is not Health.READY:
                log.warning("scanner: %s", state.detail)
            self._emit(state)
