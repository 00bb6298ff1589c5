"""What is wrong with a driver's options, before anything is made of them.

Pure: options and their shape in, the first fault out. Knows no driver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from hardware.options import Shape


class Fault(msgspec.Struct, frozen=True):
    """One wrong option, and what was expected of it."""

    key: str
    expected: str


def fault(shape: type[Shape], options: Mapping[str, Any]) -> Fault | None:
    """Return the first option that is unknown, missing or of a wrong kind."""
    given = {key: value for key, value in options.items() if key != "driver"}
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    for key in given:
        if key not in fields:
            known = ", ".join(fields) or "none"
            return Fault(
                key,
                f"the driver {options['driver']!r} has no such option; it has: {known}",
            )
    for name, field in fields.items():
        if field.required and name not in given:
            return Fault(name, "is needed and missing")
    try:
        checked = msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        key = re.split(r"[.\[`]", where)[0]
        return Fault(key, message[:1].lower() + message[1:].replace("`", ""))
    width_mm = getattr(checked, "width_mm", 80)
    if width_mm not in (58, 80):
        return Fault("width_mm", f"expected 58 or 80, got {width_mm}")
    return None
