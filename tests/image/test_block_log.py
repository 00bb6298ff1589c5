"""Everything that a selling machine writes is logged, and cut off at hundreds of points.

The disk is the shipped one, DATA encrypted. What the cuts leave is examined offline by
`imagebuild.cuts`, as anybody can examine a log again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from appliance_hand import sell
from appliance_screen import START_BUTTON, has_lines, like
from imagebuild.stage import CACHE, PROJECT
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
BASKETS = (("9520000000011", "9520000000066"), ("9520000000073",))
LAST = "9520000000028"
CUTS = int(os.environ.get("STILLOPEN_CUTS", "300"))


def test_no_cut_while_it_boots_and_sells_breaks_a_promise(stand: Stand) -> None:
    base, log = stand.folder / "base.raw", stand.folder / "writes.log"
    marks = stand.folder / "marks.json"
    # Commissioned, and off: STATE and DATA were made.
    stand.machine.flatten(base)
    stand.machine.log = log
    stand.machine.start()
    stand.wait_until_shown("again", like("attract", START_BUTTON), BOOT_SECONDS)
    for number, codes in enumerate(BASKETS, 1):
        sell(stand, *codes)
        # Its thanks are shown: from now on this sale must be there.
        mark(log, marks, number)
    stand.scan(LAST)
    stand.wait_until_shown("scanning", has_lines(1), 30)
    stand.machine.kill()

    found = cut(log, base, marks, stand.folder / "cuts.json")
    assert found["cuts"] == CUTS
    assert found["boundaries_tried"] > min(CUTS // 4, 40)
    # What was sold is in the journal at the log's end: the replay saw it written.
    assert found["entries_at_the_end"] > sum(map(len, BASKETS))
    assert found["findings"] == []


def mark(log: Path, marks: Path, sales: int) -> None:
    """Note how many sales are complete now: all later cuts must hold them."""
    with marks.open("a") as file:
        told = {"log_bytes": log.stat().st_size, "sales": sales}
        file.write(json.dumps(told) + "\n")


def cut(log: Path, base: Path, marks: Path, result: Path) -> dict[str, Any]:
    """Cut a log and return what was found; the table goes to the test's output."""
    kernels = [
        word
        for kernel in CACHE.glob("signed-*/kernel.efi")
        for word in ("--kernel", str(kernel))
    ]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "imagebuild.cuts", str(log)),
            *("--base", str(base), "--marks", str(marks), "--result", str(result)),
            *("--keys", str(CACHE / "keys" / "development")),
            *("--cuts", str(CUTS), *kernels),
        ],
        env={**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'image-build'}"},
    )
    assert done.returncode in (0, 1), "the log or the disk could not be read"
    told: dict[str, Any] = json.loads(result.read_text())
    return told
