"""From the lane's state to what the screen shows: pure, and every mode is met.

No Kivy here and no sizes; no rule of selling either. What a button does is an event
it posts or the screen's own next state, both named here.
"""

from __future__ import annotations

from kiosk.domain.modes import core
from kiosk.domain.state import (
    Attending,
    Closed,
    Complete,
    Declined,
    Idle,
    Intervention,
    Lane,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Servicing,
    Training,
    Weighing,
)
from kiosk.machine import DEVELOPMENT, NOTHING_KNOWN, Machine
from kiosk.ui import checkout, service, shopping, signing, staff, waiting
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Banner, View
from kiosk.ui.words import Words, words

# More bars than this would push the screen away; the most important come first.
_MOST_BANNERS = 3


def present(
    lane: Lane, local: Local, *, sees: bool = False, machine: Machine = NOTHING_KNOWN
) -> View:
    """Return what the screen must show now. `sees`: a camera gives fresh pictures;
    `machine` is what a technician is shown."""
    inner = lane.mode.lane if isinstance(lane.mode, Training) else lane
    speech = words(inner.language)
    # A camera may stand beside a hand scanner, under a name of its own.
    camera = "camera" if "camera" in inner.devices else "scanner"
    sees = sees and inner.devices.get(camera) != "absent"
    bars = _banners(inner, speech)
    if machine.release.variant == DEVELOPMENT:
        # Before all others: a development lane must never be taken for a shop's.
        band = speech.t("Development version: not for a shop")
        bars = (Banner("development", band, "training", "info"), *bars)
    scene = Scene(inner, local, speech, bars[:_MOST_BANNERS], sees, machine)
    if local.panel == "languages" and not is_asking(inner):
        return shopping.languages(scene)
    match inner.mode:
        case Closed() as mode:
            return checkout.closed(scene, mode)
        case Idle() as mode:
            return shopping.attract(scene, mode)
        case Scanning() as mode:
            return shopping.scanning(scene, mode)
        case Weighing() as mode:
            return waiting.weighing(scene, mode)
        case Intervention() as mode:
            return waiting.intervention(scene, mode)
        case Paying() as mode:
            return checkout.paying(scene, mode)
        case OutcomeUnknown() as mode:
            return checkout.unknown(scene, mode)
        case Declined() as mode:
            return checkout.declined(scene, mode)
        case Complete() as mode:
            return checkout.complete(scene, mode)
        case PinEntry() as mode:
            return signing.pin_entry(scene, mode)
        case Attending() as mode:
            return staff.attending(scene, mode)
        case Servicing() as mode:
            return service.servicing(scene, mode)
        case Training(lane=innermost):
            return present(innermost, local, sees=sees, machine=machine)


def _banners(lane: Lane, say: Words) -> tuple[Banner, ...]:
    """Return the bars that hold now, most important first."""
    bars = []
    mode = core(lane.mode)
    is_selling = isinstance(mode, Scanning | Weighing | Declined | Paying)
    if lane.is_training:
        bars.append(
            Banner("training", say.t("TRAINING: nothing is sold"), "training", "cap")
        )
    if (
        lane.power == "battery"
        and lane.power_stage >= 1
        and not isinstance(mode, Closed)
    ):
        text = say.t("On battery power. Please finish and pay.")
        if lane.power_stage >= 3:
            text = say.t("On battery power. We will keep your basket.")
        bars.append(Banner("battery", text, "warning", "battery"))
    if lane.devices.get("terminal") == "absent" and is_selling:
        bars.append(
            Banner(
                "terminal", say.t("Cards do not work at the moment."), "warning", "card"
            )
        )
    if lane.devices.get("scanner") == "absent" and is_selling:
        bars.append(
            Banner(
                "scanner",
                say.t("The scanner does not work at the moment."),
                "warning",
                "scan",
            )
        )
    if lane.called:
        bars.append(Banner("called", say.t("Someone is coming."), "calm", "person"))
    if not lane.is_online:
        text = say.t("Offline: you can shop and pay as usual.")
        if lane.devices.get("terminal") == "absent":
            text = say.t("Offline: you can go on scanning.")
        bars.append(Banner("offline", text, "warning", "offline"))
    if lane.pause and is_selling:
        bars.append(
            Banner(
                "pause",
                say.t("This checkout closes after your purchase."),
                "calm",
                "info",
            )
        )
    if not lane.is_clock_trusted:
        bars.append(
            Banner(
                "clock",
                say.t("A colleague must confirm the date."),
                "warning",
                "clock",
            )
        )
    if lane.devices.get("printer") == "absent" and (
        is_selling or isinstance(mode, Idle)
    ):
        bars.append(
            Banner(
                "paper",
                say.t("No printed receipts at the moment."),
                "warning",
                "receipt",
            )
        )
    return tuple(bars)


def is_asking(lane: Lane) -> bool:
    """Is a question on the screen that comes before everything else?"""
    return isinstance(lane.mode, Scanning) and lane.mode.is_warned


def is_timed(lane: Lane) -> bool:
    """Does the lane wait here for a shopper or an attendant who may be gone?"""
    inner = lane.mode.lane if isinstance(lane.mode, Training) else lane
    if isinstance(inner.mode, Servicing):
        return not inner.mode.doing
    return isinstance(inner.mode, Scanning | Weighing | PinEntry | Attending)
