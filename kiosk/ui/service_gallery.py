"""One example of every View of the service screen; part of `gallery.py`.

Never shown on a lane.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from kiosk.domain.network import NetworkSetting
from kiosk.domain.service import DEEDS
from kiosk.domain.state import Idle, Mode, Servicing
from kiosk.machine import (
    DEVELOPMENT,
    DeviceLook,
    Machine,
    NetworkCard,
    Queue,
    Release,
    TrialStep,
    Update,
)
from kiosk.ui.local import Local
from kiosk.ui.service_deeds import NOT_DONE

# Tuesday, 3 November 2026, 14:32 in UTC.
NOON_MS = 1793716320000

MACHINE = Machine(
    release=Release(
        "1.4.2",
        "production",
        "9b1f0c2e7d5a44f1",
        "x86-64-v1",
        "4f6c3a19d2b7e8051c9a77f0e2d4b6138af05c7e9d1b2a3f4e5d6c7b8a990011",
    ),
    lane_id="lane-3",
    catalog_ms=NOON_MS - 3 * 3_600_000,
    update=Update(
        "refused",
        "1.5.0",
        "wrong_key",
        at_ms=NOON_MS - 40 * 60_000,
    ),
    cards=(
        NetworkCard(
            "enp1s0", "192.168.1.20/24", "192.168.1.1", ("192.168.1.1",), True, True
        ),
        NetworkCard("enp2s0"),
    ),
    devices=(
        DeviceLook("scanner", "serial", "ready"),
        DeviceLook("printer", "escpos_usb", "ready", "out of paper", NOON_MS - 60_000),
        DeviceLook("terminal", "zvt_tcp", "ready"),
        DeviceLook("scale", "mettler_8217", "ready"),
        DeviceLook("bagging", "none", ""),
        DeviceLook("ups", "nut", "absent", "battery is old", NOON_MS - 7_200_000),
        DeviceLook("light", "relay", "ready"),
        DeviceLook("speaker", "system", "ready"),
        DeviceLook("keypad", "hid", "ready"),
        DeviceLook("disk", "", "ready"),
    ),
    queue=Queue(214, 31, NOON_MS - 95 * 60_000, NOON_MS - 95 * 60_000, True),
    done_bytes=12_400_000,
    trial=(
        TrialStep("answers", "29001006"),
        TrialStep("amount", "", 100, "EUR"),
        TrialStep("card"),
    ),
    now_ms=NOON_MS,
)


def machine(name: str) -> Machine:
    """Return the machine that an example is shown on."""
    if not name.endswith("_development"):
        return MACHINE
    return replace(MACHINE, release=replace(MACHINE.release, variant=DEVELOPMENT))


def examples() -> Iterator[tuple[str, Mode, Local]]:
    """Yield every View of the service screen with the mode that leads to it."""
    at_screen = Servicing("1001", Idle())

    def at(**told: str) -> Servicing:
        return replace(at_screen, **told)

    for section in ("system", "devices", "network", "queue", "work"):
        yield f"service_{section}", at(), Local(panel=f"service_{section}")
    yield "service_devices_more", at(), Local(panel="service_devices", first=8)
    yield "service_development", at(), Local(panel="service_system")
    yield "attract_development", Idle(), Local()
    own = NetworkSetting("enp1s0", "192.168.1.20/24", "192.168.1.1", ("192.168.1.1",))
    typing = Local(panel="service_type", chosen="enp1s0", network=own)
    yield "service_card", at(), Local(panel="service_card", chosen="enp1s0")
    for step, typed in (
        ("address", "192.168.1.20"),
        ("prefix", ""),
        ("gateway", "192.168.2.1"),
        ("names", ""),
    ):
        shown = replace(typing, todo=step, typed=typed)
        yield f"service_type_{step}", at(), shown
    yield "service_set", at(), replace(typing, panel="service_set")
    yield "service_sure_restart", at(), Local(panel="service_sure", todo="restart")
    for deed in ("try_terminal", "forget_trial"):
        yield f"service_sure_{deed}", at(), Local(panel="service_sure", todo=deed)
    yield "service_sure_reset", at(), Local(panel="service_sure", todo="reset")
    yield "service_very_sure", at(), Local(panel="service_very_sure", todo="reset")
    for deed in DEEDS:
        if deed == "stop_trial":
            continue
        yield f"service_doing_{deed}", at(doing=deed), Local()
        if deed != "attest":
            yield f"service_done_{deed}", at(done=deed, outcome="done"), Local()
    for outcome in NOT_DONE:
        deed = "try_terminal" if outcome.startswith("trial") else "logs"
        yield f"service_not_{outcome}", at(done=deed, outcome=outcome), Local()
    code = f"stillopen-attest-1:{'kZl0bGFuZS0zpTEuNC4y' * 11}"
    short = "lane-3 · 1.4.2 · root 4f6c3a19 · entry 901 1c9a77f0 · 14:32"
    told = at(done="attest", outcome="done", detail=f"{code} {short}")
    yield "service_attestation", told, Local()
