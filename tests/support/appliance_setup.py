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

from imagebuild.machine import until
from imagebuild.stand import Stand

HERE = Path(__file__).parents[1] / "image"
GOODS = HERE / "goods.csv"
LANE_TOML = HERE / "lane.toml"
BOOT_SECONDS = 420.0
LANE = "lane-1"
TECHNICIAN, PIN = "7", "480917"


def commission(stand: Stand) -> None:
    """Start a blank machine and make it a lane that sells. It is off again afterwards."""
    stand.machine.start()
    enrol(stand)
    stand.machine.kill()


def enrol(stand: Stand) -> None:
    """Approve the machine by the code on its screen, and give it staff."""
    code = _code(stand, BOOT_SECONDS)
    fleet(stand, "approve", code, "--lane", LANE, "--settings", str(LANE_TOML))


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


def _code(stand: Stand, seconds: float) -> str:
    """Return the claim code. The office works it out from the same keys as the kiosk."""

    def codes() -> list[str]:
        with closing(sqlite3.connect(stand.folder / "office/office.db")) as book:
            found = book.execute("select code from claim where state = 'waiting'")
            return [str(code) for (code,) in found]

    until(lambda: bool(codes()), seconds, "a kiosk that asks to be a lane")
    return codes()[0]
