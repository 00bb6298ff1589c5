"""A lane light behind a serial relay board: three lamps and a call lamp.

The board is the widely sold USB relay on a CH340 (LCUS type): each relay is switched
by four bytes, A0, its number, 01 or 00, and their sum. It answers nothing, so what it
shows is said again whenever it comes back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec
import serial

from hardware.ports import DeviceState, Health, Light

log = logging.getLogger(__name__)

WRITE_SECONDS = 0.5
RECONNECT_SECONDS = 2.0
_HEAD = 0xA0


class Port(Protocol):
    """An open serial line (`serial.Serial`)."""

    def write(self, data: bytes, /) -> int | None: ...

    def close(self) -> None: ...


class Relays(msgspec.Struct, frozen=True):
    """Which relay switches which lamp, from 1; 0: there is no such lamp."""

    green: int = 1
    amber: int = 2
    red: int = 3
    call: int = 4


def serial_port(path: str, baud: int) -> Callable[[], Port]:
    """Return how to open the board's line."""

    def connect() -> Port:
        port: Port = serial.Serial(path, baud, timeout=0, write_timeout=WRITE_SECONDS)
        return port

    return connect


def switch(relay: int, is_on: bool) -> bytes:
    """Return the bytes that switch one relay."""
    order = bytes([_HEAD, relay, int(is_on)])
    return order + bytes([sum(order) & 0xFF])


def orders(light: Light, relays: Relays) -> bytes:
    """Return the bytes that make the light show this, lamps that go out first.

    Amber and red mean that somebody must come, so the call lamp goes with them.
    """
    wanted = {
        relays.green: light is Light.GREEN,
        relays.amber: light is Light.AMBER,
        relays.red: light is Light.RED,
        relays.call: light in (Light.AMBER, Light.RED),
    }
    there = {relay: is_on for relay, is_on in wanted.items() if relay}
    return b"".join(
        switch(relay, is_on) for relay, is_on in sorted(there.items(), key=_off_first)
    )


def _off_first(order: tuple[int, bool]) -> tuple[bool, int]:
    return order[1], order[0]


class RelayLight:
    """One relay board, looked for until it is closed."""

    def __init__(
        self,
        connect: Callable[[], Port],
        relays: Relays,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._connect = connect
        self._relays = relays
        self._reconnect_seconds = reconnect_seconds
        self._wanted = Light.OFF
        self._change = threading.Condition()
        self._is_closing = False
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Find the light; returns at once."""
        self._is_closing = False
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name="light", daemon=True
        )
        self._thread.start()

    def show(self, light: Light) -> None:
        """Show `light` until told otherwise. Never blocks, never raises."""
        with self._change:
            self._wanted = light
            self._change.notify_all()

    def close(self) -> None:
        """Switch it off and let go."""
        with self._change:
            self._wanted = Light.OFF
            self._is_closing = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, emit: Callable[[DeviceState], None]) -> None:
        told: DeviceState | None = None
        while True:
            try:
                port = self._connect()
                try:
                    if told != (told := DeviceState(Health.READY)):
                        emit(told)
                    self._follow(port)
                    return
                finally:
                    port.close()
            except OSError as error:
                state = DeviceState(Health.ABSENT, str(error))
                if told != state:
                    told = state
                    log.warning("light: %s", error)
                    emit(state)
            with self._change:
                if self._change.wait_for(
                    lambda: self._is_closing, self._reconnect_seconds
                ):
                    return

    def _follow(self, port: Port) -> None:
        """Show what is wanted, each change and now and then, until closed."""
        shown: Light | None = None
        while True:
            with self._change:
                if not self._is_closing and self._wanted is shown:
                    self._change.wait(self._reconnect_seconds)
                shown, is_closing = self._wanted, self._is_closing
            # Said again also without a change: the board cannot say that it is gone.
            port.write(orders(shown, self._relays))
            if is_closing:
                return
