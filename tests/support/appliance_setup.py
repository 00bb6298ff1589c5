"""The first steps of a kiosk that never had power: enrolled, staffed, its terminal tried.

All by what an admin and a technician have: `kiosk fleet` commands and the screen.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from appliance_hand import (
    ANSWER_SECONDS,
    PAYMENT_SECONDS,
    PIN,
    TECHNICIAN,
    press,
    show_card,
    sign_on,
)
from appliance_screen import SERVICE, START_BUTTON, TABS, TRIED, is_bright, like
from imagebuild.machine import until
from imagebuild.stand import Stand

HERE = Path(__file__).parents[1] / "image"
GOODS = HERE / "goods.csv"
LANE_TOML = HERE / "lane.toml"
BOOT_SECONDS = 420.0
LANE = "lane-1"


def commission(stand: Stand) -> None:
    """Start a blank machine and make it a lane that sells. It is off again afterwards."""
    stand.machine.start()
    enrol(stand)
    try_terminal(stand)
    stand.machine.kill()


def enrol(stand: Stand) -> None:
    """Give the shop a technician, and approve the machine by the code on its screen."""
    pin = stand.folder / "pin"
    pin.write_text(PIN)
    roles = [
        word for role in ("technician", "settle", "close") for word in ("--role", role)
    ]
    fleet(
        stand,
        "staff",
        "add",
        TECHNICIAN,
        "--name",
        "Ada",
        *roles,
        "--pin-file",
        str(pin),
    )
    code = claim_code(stand, BOOT_SECONDS)
    stand.wait_until_shown("enrol", is_bright, BOOT_SECONDS)
    fleet(stand, "approve", code, "--lane", LANE, "--settings", str(LANE_TOML))
    stand.wait_until_shown("welcome", like("attract", START_BUTTON), BOOT_SECONDS)
    until(lambda: _entries(stand, "RosterChanged") > 0, 120, "a lane with staff")


def try_terminal(stand: Stand) -> None:
    """Let the card terminal prove itself at the service screen, as a technician does."""
    sign_on(stand)
    stand.tap(*SERVICE)
    stand.wait_until_shown("service", like("service", TABS), ANSWER_SECONDS)
    press(stand, "service_system", "tab_work")
    press(stand, "service_work", "try_terminal")
    press(stand, "service_sure_try_terminal", "yes")
    show_card(stand)
    is_tried = like("terminal-tried", TRIED)
    stand.wait_until_shown("terminal-tried", is_tried, PAYMENT_SECONDS)
    press(stand, "service_done_try_terminal", "ok")
    press(stand, "service_work", "leave")
    stand.wait_until_shown("ready", like("attract", START_BUTTON), ANSWER_SECONDS)


def fleet(stand: Stand, *words: str) -> str:
    """Run a `kiosk fleet` command against the stand's office; return what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "kiosk", "fleet", *words],
        env={
            **os.environ,
            "STILLOPEN_OFFICE": stand.office.url,
            "STILLOPEN_ADMIN_TOKEN_FILE": str(stand.folder / "office/admin.token"),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def claim_code(stand: Stand, seconds: float) -> str:
    """Return the claim code. The office works it out from the same keys as the kiosk."""

    def codes() -> list[str]:
        with closing(sqlite3.connect(stand.folder / "office/office.db")) as book:
            found = book.execute("select code from claim where state = 'waiting'")
            return [str(code) for (code,) in found]

    until(lambda: bool(codes()), seconds, "a kiosk that asks to be a lane")
    return codes()[0]


def _entries(stand: Stand, kind: str) -> int:
    with closing(sqlite3.connect(stand.folder / "office/office.db")) as book:
        found = book.execute("select count(*) from entry where kind = ?", (kind,))
        (count,) = found.fetchone()
    return int(count)
