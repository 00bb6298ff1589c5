"""Makes one device do something that the installer can see or hear.

Prints a test page, shows the lamps, plays the sounds, waits for a label, a weight or
a key. Never moves money: a card terminal only says who it is.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

from hardware.ports import (
    Cut,
    DeviceState,
    Health,
    KeyPress,
    Light,
    LinearCode,
    Power,
    PrinterTrouble,
    QrCode,
    Rule,
    Scan,
    TextLine,
    Weight,
)

FIND_SECONDS = 10.0
WAIT_SECONDS = 20.0
LAMP_SECONDS = 1.0
_SOUNDS = ("scanned", "refused", "attention", "paid")
_SHORT_OF = {
    "scanner": "Scan any label now",
    "camera": "Hold a label before the camera now",
    "scale": "Put something on the scale now",
    "bagging": "Put something on the bagging scale now",
    "keypad": "Press any key of the keypad now",
    "ups": "Waiting for the UPS",
}
_TEST_PAGE = (
    TextLine("Stillopen", strong=True, tall=True),
    TextLine("Test page"),
    Rule(),
    TextLine("left", "right"),
    TextLine("Äöüß éèç ñ Łódź Ελληνικά Кириллица €"),
    TextLine("A name so long that it must be wrapped by the printer", "1,234.50"),
    Rule(),
    LinearCode("STILLOPEN"),
    QrCode("https://example.com/stillopen"),
    Cut(),
)


class Silent(Exception):
    """The device did not do it. The words are the installer's."""


def exercise(name: str, device: Any, wait: Callable[[float], None]) -> Iterator[str]:
    """Open the device, make it do something, and yield what it did, a line at a time.

    `wait` lets so many seconds pass (`time.sleep`). Raises `Silent`.
    """
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    device.open(told.put)
    try:
        yield from _exercise(name, device, told, wait)
    finally:
        device.close()


def _exercise(
    name: str,
    device: Any,
    told: queue.SimpleQueue[object],
    wait: Callable[[float], None],
) -> Iterator[str]:
    if name in _SHORT_OF:
        yield f"{_SHORT_OF[name]} ({WAIT_SECONDS:.0f} seconds) ..."
        yield _first(told)
        return
    _found(told)
    match name:
        case "printer":
            try:
                device.print(_TEST_PAGE)
            except PrinterTrouble as trouble:
                raise Silent(f"the printer did not print: {trouble}") from trouble
            yield "A test page is on paper: both edges, four alphabets, two codes."
        case "light":
            for light in (Light.GREEN, Light.AMBER, Light.RED, Light.OFF):
                device.show(light)
                yield f"The light shows {light.value}."
                wait(LAMP_SECONDS)
        case "speaker":
            for sound in _SOUNDS:
                device.play(sound)
                yield f"Played: {sound}."
                wait(LAMP_SECONDS)
            device.say("This checkout can speak.", "en")
            yield "Said: This checkout can speak."
            wait(3 * LAMP_SECONDS)
        case "terminal":
            mark = device.watermark()
            if mark is None:
                raise Silent("the card terminal does not answer")
            yield f"Terminal {mark.terminal_id}, newest receipt {mark.last_receipt}."
        case _:
            raise Silent(f"there is no test for {name}")


def _found(told: queue.SimpleQueue[object]) -> None:
    """Wait until the device is there. One that says nothing is tried all the same."""
    until = time.monotonic() + FIND_SECONDS
    trouble = ""
    while True:
        try:
            word = told.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(word, DeviceState):
            if word.health is not Health.ABSENT:
                return
            trouble = word.detail
    if trouble:
        raise Silent(trouble)


def _first(told: queue.SimpleQueue[object]) -> str:
    """Return the first thing that the device tells, in words."""
    until = time.monotonic() + WAIT_SECONDS
    trouble = ""
    while True:
        try:
            word = told.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise Silent(trouble or "nothing came") from None
        match word:
            case Scan(data, symbology):
                text = data.decode("utf-8", "backslashreplace")
                return f"Read {text!r} {symbology}".rstrip() + "."
            case Weight(grams) if grams:
                return f"{grams} g."
            case KeyPress(key):
                return f"Key {key.value}."
            case Power(source, runtime_seconds, charge_percent):
                return (
                    f"On {source.value}, charge {_known(charge_percent, '%')},"
                    f" runtime {_known(runtime_seconds, 's')}."
                )
            case DeviceState(health, detail):
                trouble = "" if health is Health.READY else detail
            case _:
                pass


def _known(value: int | None, unit: str) -> str:
    return "unknown" if value is None else f"{value} {unit}"
