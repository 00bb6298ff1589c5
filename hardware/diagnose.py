"""One line per device, for the installer: does it answer, and what does it say?

Opens each device for a moment, prints nothing on paper and moves no money.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import msgspec

from hardware.ports import DeviceState, Health
from hardware.registry import DeviceConfigError, Options, build

# A camera starts a process; a network printer is given time to answer.
PATIENCE_SECONDS = 6.0


class Diagnosis(msgspec.Struct, frozen=True):
    """What one device said of itself. No health: it never spoke."""

    device: str
    driver: str
    health: Health | None
    detail: str = ""

    def __str__(self) -> str:
        said = "silent" if self.health is None else self.health.value
        return f"{self.device:<9} {self.driver:<15} {said:<9} {self.detail}".rstrip()


def diagnose(
    devices: Mapping[str, Options], patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[Diagnosis]:
    """Yield what each device says, in the order of lane.toml."""
    for name, options in devices.items():
        yield _look_at(name, options, patience_seconds)


def _look_at(name: str, options: Options, patience_seconds: float) -> Diagnosis:
    driver = str(options.get("driver", ""))
    if driver == "none":
        return Diagnosis(name, driver, None, "this lane has none")
    try:
        device = build(name, options)
    except DeviceConfigError as error:
        return Diagnosis(name, driver, Health.ABSENT, str(error))
    states: list[DeviceState] = []
    is_ready = threading.Event()

    def note(told: object) -> None:
        if isinstance(told, DeviceState):
            states.append(told)
            if told.health is not Health.ABSENT:
                is_ready.set()

    device.open(note)
    is_ready.wait(patience_seconds)
    device.close()
    if not states:
        return Diagnosis(name, driver, None, "it said nothing")
    # A light that is closed goes out: what counts is what it said while open.
    good = [state for state in states if state.health is not Health.ABSENT]
    said = (good or states)[-1]
    return Diagnosis(name, driver, said.health, said.detail)
