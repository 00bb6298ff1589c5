"""The PIN pad: the attendant's number first, then the PIN, masked and never spoken."""

from __future__ import annotations

from kiosk.asked import PinGiven
from kiosk.domain.events import AttendantLeft
from kiosk.domain.state import PinCounter, PinEntry
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Field, Layout, View

SHORTEST_PIN = 6


def pin_entry(scene: Scene, mode: PinEntry) -> View:
    """The number first, then the PIN, masked."""
    t, local = scene.t, scene.local
    if not local.panel:
        next_step = Button(
            "enter",
            t("Next"),
            kind="primary",
            icon="check",
            local=Local(panel="pin", number=local.number),
        )
        return scene.view(
            "pin_number",
            Layout.KEYS,
            t("Staff"),
            text=t("Your number"),
            icon="person",
            field=Field(local.number, t("Number")),
            keys=scene.digits("number", 8),
            buttons=(Button("back", t("Back"), icon="back", post=AttendantLeft()),),
            primary=next_step if local.number else None,
        )
    trouble = {
        "wrong": t("That was not right. Please try again."),
        "locked": _locked(scene),
        "checking": t("One moment, please"),
    }.get(mode.trouble, "")
    can_enter = len(local.pin) >= SHORTEST_PIN and mode.trouble != "checking"
    enter = Button(
        "enter",
        t("Sign in"),
        kind="primary",
        icon="check",
        post=PinGiven(local.number, local.pin),
        local=Local(panel="pin", number=local.number),
    )
    return scene.view(
        f"pin_{mode.trouble}" if mode.trouble else "pin",
        Layout.KEYS,
        t("Your PIN"),
        text=trouble or t("Number {number}", number=local.number),
        tone="alert" if mode.trouble in {"wrong", "locked"} else "",
        icon="lock",
        field=Field("•" * len(local.pin), t("6 digits or more"), is_masked=True),
        keys=scene.digits("pin", 12),
        buttons=(Button("back", t("Back"), icon="back", local=Local()),),
        primary=enter if can_enter else None,
    )


def _locked(scene: Scene) -> str:
    lane = scene.lane
    counter = lane.pins.get(scene.local.number, PinCounter())
    until_ms = max(counter.locked_until_ms, lane.lane_locked_until_ms)
    return scene.t(
        "Too many tries. Please wait until {time}.", time=scene.words.time(until_ms)
    )
