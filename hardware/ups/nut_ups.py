"""Watches a UPS through NUT's server, whatever UPS and cable that one drives.

Tells where the current comes from; never shuts anything down by itself. NUT's own
`upsmon` does that also while the lane is dead; the lane may ask for it earlier.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from hardware.ports import DeviceState, Health, Power, PowerSource
from hardware.ups.nut_client import Done, Line, NutClient, Refused, Var

log = logging.getLogger(__name__)

# Runtime and charge change with every look; the lane hears of them once a minute.
FIGURES_SECONDS = 60.0


class Login(msgspec.Struct, frozen=True):
    """Who may order a shutdown at upsd. The password is another one after each boot, so
    a file is read when it is needed; that it lacks is no reason not to sell."""

    user: str
    password: str = ""
    password_file: str = ""

    def secret(self) -> str:
        """Return the password. Raises `OSError` where its file cannot be read."""
        if self.password_file:
            return Path(self.password_file).read_text(encoding="utf-8").strip()
        return self.password

    def __repr__(self) -> str:
        return f"Login({self.user}, ******)"


class NutUps:
    """One UPS as upsd knows it, looked for until it is closed."""

    def __init__(
        self,
        connect: Callable[[], NutClient],
        ups: str,
        poll_seconds: float,
        login: Login | None = None,
    ) -> None:
        self._connect = connect
        self._ups = ups
        self._poll_seconds = poll_seconds
        self._login = login
        self._client: NutClient | None = None
        self._told: Power | None = None
        self._told_at = 0.0
        self._state: DeviceState | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[Power | DeviceState], None]) -> None:
        """Start watching; returns at once."""
        self._stop.clear()
        self._told = self._state = None
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name="ups-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def order_shutdown(self) -> None:
        """Ask upsd for a safe shutdown (FSD), where the settings say who asks.

        Without that, `upsmon` orders it when the battery is low.
        """
        if self._login is None:
            log.warning("no shutdown is ordered: upsmon does it on low battery")
            return
        try:
            client = self._connect()
        except OSError as error:
            log.error("no shutdown could be ordered: %s", error)
            return
        try:
            answer = client.log_in(self._login.user, self._login.secret())
            if isinstance(answer, Done):
                answer = client.force_shutdown(self._ups)
            if not isinstance(answer, Done):
                log.error("upsd refused the shutdown: %s", answer)
        except OSError as error:
            log.error("no shutdown could be ordered: %s", error)
        finally:
            client.close()

    def _run(self, emit: Callable[[Power | DeviceState], None]) -> None:
        while not self._stop.is_set():
            try:
                self._look(emit)
            except OSError as error:
                self._hang_up()
                self._lost(emit, f"upsd does not answer: {error}")
            self._stop.wait(self._poll_seconds)
        self._hang_up()

    def _look(self, emit: Callable[[Power | DeviceState], None]) -> None:
        if self._client is None:
            self._client = self._connect()
        client = self._client
        status = client.variable(self._ups, "ups.status")
        match status:
            case Var(value=value):
                power = Power(
                    source_of(value),
                    _whole(client.variable(self._ups, "battery.runtime")),
                    _whole(client.variable(self._ups, "battery.charge")),
                )
                self._tell_state(emit, state_of(value, self._who(client)))
                self._tell_power(emit, power)
            case Refused(code):
                self._lost(emit, _REFUSALS.get(code, f"upsd says {code}"))
            case other:
                self._lost(emit, f"upsd answers strangely: {type(other).__name__}")

    def _who(self, client: NutClient) -> str:
        parts = [
            answer.value
            for name in ("device.mfr", "device.model", "ups.firmware")
            if isinstance(answer := client.variable(self._ups, name), Var)
        ]
        return " ".join(part.strip() for part in parts if part.strip())

    def _lost(self, emit: Callable[[Power | DeviceState], None], why: str) -> None:
        self._tell_state(emit, DeviceState(Health.ABSENT, why))
        if self._told is not None:
            self._tell_power(emit, Power(PowerSource.UNKNOWN))

    def _tell_state(
        self, emit: Callable[[Power | DeviceState], None], state: DeviceState
    ) -> None:
        if state != self._state:
            self._state = state
            emit(state)

    def _tell_power(
        self, emit: Callable[[Power | DeviceState], None], power: Power
    ) -> None:
        told, now = self._told, time.monotonic()
        is_new = told is None or told.source is not power.source
        if is_new or (told != power and now - self._told_at >= FIGURES_SECONDS):
            self._told, self._told_at = power, now
            emit(power)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


_REFUSALS = {
    "DATA-STALE": "the UPS does not answer its driver",
    "DRIVER-NOT-CONNECTED": "the UPS's driver is not running",
    "UNKNOWN-UPS": "upsd knows no UPS of that name",
    "ACCESS-DENIED": "upsd does not let this lane ask",
}


def source_of(status: str) -> PowerSource:
    """Return what `ups.status` means (NUT developer guide, status words)."""
    words = set(status.split())
    if "FSD" in words:
        return PowerSource.SHUTDOWN
    if "OB" in words:
        return PowerSource.LOW if "LB" in words else PowerSource.BATTERY
    if words & {"OL", "BYPASS"}:
        # LB alone: the battery is being charged after a long cut.
        return PowerSource.MAINS
    return PowerSource.UNKNOWN


def state_of(status: str, who: str) -> DeviceState:
    """Return the UPS's own health; a tired battery is no reason to stop."""
    words = set(status.split())
    if "RB" in words:
        return DeviceState(Health.DEGRADED, f"replace the battery of {who}".rstrip())
    if "OVER" in words:
        return DeviceState(Health.DEGRADED, "more hangs on the UPS than it can carry")
    if "BYPASS" in words:
        return DeviceState(Health.DEGRADED, "on bypass: no battery behind the lane")
    return DeviceState(Health.READY, who)


def _whole(answer: Line) -> int | None:
    if not isinstance(answer, Var):
        return None
    try:
        value = float(answer.value)
    except ValueError:
        return None
    # NUT has no word for "cannot tell" but some drivers' -1.
    return int(value) if 0 <= value < 1e7 else None
