"""Reads a Mettler Toledo 8217 scale over a serial line.

Asks ten times in three seconds and tells the lane settled weights only, each change
once, zero too. Never computes a price, and never tares: what a bag weighs is the
catalogue's to know.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

import serial

from hardware.ports import DeviceState, Health, Weight
from hardware.scale import mettler_8217_codec as codec

log = logging.getLogger(__name__)

ASK_SECONDS = 0.3
ANSWER_SECONDS = 0.5
RECONNECT_SECONDS = 2.0
# Answers that fail in a row before the scale counts as gone: noise comes and goes.
_MISSES = 4
# Somebody leaning on the scale for longer than this is worth a word.
_MOVING_SECONDS = 20.0


class Port(Protocol):
    """An open serial line (`serial.Serial`). A read ends within its time-out."""

    def read(self, size: int = 1, /) -> bytes: ...

    def write(self, data: bytes, /) -> int | None: ...

    def close(self) -> None: ...


def serial_port(path: str, baud: int) -> Callable[[], Port]:
    """Return how to open the line: seven bits, even parity, as the scale is delivered."""

    def connect() -> Port:
        port: Port = serial.Serial(
            path,
            baud,
            bytesize=serial.SEVENBITS,
            parity=serial.PARITY_EVEN,
            timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS,
        )
        return port

    return connect


class Mettler8217:
    """One scale, looked for until it is closed."""

    def __init__(
        self,
        connect: Callable[[], Port],
        ask_seconds: float = ASK_SECONDS,
        reconnect_seconds: float = RECONNECT_SECONDS,
    ) -> None:
        self._connect = connect
        self._ask_seconds = ask_seconds
        self._reconnect_seconds = reconnect_seconds
        self._emit: Callable[[Weight | DeviceState], None] = lambda told: None
        self._told: Weight | None = None
        self._state: DeviceState | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[Weight | DeviceState], None]) -> None:
        """Start weighing; returns at once."""
        self._emit = emit
        self._told = self._state = None
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="scale", daemon=True)
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
                with closing(self._connect()) as port:
                    self._weigh(port)
            except OSError as error:
                self._tell_state(DeviceState(Health.ABSENT, str(error)))
            self._stop.wait(self._reconnect_seconds)

    def _weigh(self, port: Port) -> None:
        misses = 0
        moving_seconds = 0.0
        while not self._stop.is_set():
            answer = self._ask(port)
            if isinstance(answer, codec.NoAnswer):
                misses += 1
                if misses >= _MISSES:
                    self._tell_state(DeviceState(Health.ABSENT, answer.cause))
            else:
                misses = 0
                is_moving = isinstance(answer, codec.Moving)
                moving_seconds = (
                    moving_seconds + self._ask_seconds if is_moving else 0.0
                )
                self._tell(answer, moving_seconds)
            self._stop.wait(self._ask_seconds)

    def _ask(self, port: Port) -> codec.Answer:
        port.write(codec.ASK_WEIGHT)
        rest = b""
        # A byte at a time ends with the answer; noise without an end is cut by its
        # length, silence by the port's time-out.
        while byte := port.read(1):
            answers, rest = codec.split(rest + byte)
            if answers:
                return codec.read(answers[0])
        return codec.NoAnswer("the scale does not answer")

    def _tell(self, answer: codec.Answer, moving_seconds: float) -> None:
        match answer:
            case codec.Settled(grams, is_net):
                words = "a tare is set at the scale" if is_net else ""
                health = Health.DEGRADED if is_net else Health.READY
                self._tell_state(DeviceState(health, words))
                if self._told != Weight(grams):
                    self._told = Weight(grams)
                    self._emit(self._told)
            case codec.Trouble(cause):
                self._tell_state(DeviceState(Health.DEGRADED, cause))
            case codec.Moving() if moving_seconds >= _MOVING_SECONDS:
                words = "it does not come to rest"
                self._tell_state(DeviceState(Health.DEGRADED, words))
            case _:
                pass

    def _tell_state(self, state: DeviceState) -> None:
        if state != self._state:
            self._state = state
            if state.health is not Health.READY:
                log.warning("scale: %s", state.detail)
            self._emit(state)
