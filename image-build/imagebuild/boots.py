"""How long the shipped disk takes to its welcome, and how long without the lane.

The machine was made a lane before and has its DATA; each start follows a pulled plug. All
have the same kernel, root and command line, to which DATA's key is bound; only what
firmware tells PID 1 leaves the lane out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from appliance_screen import START_BUTTON, like
from appliance_setup import GOODS, commission
from PIL import Image

from imagebuild import analyzed, figures
from imagebuild.machine import FIRMWARE, MachineError
from imagebuild.stage import BuildError, need, say
from imagebuild.stand import Stand
from imagebuild.table import paired_medians

# The signed words may have PID 1 take nothing from firmware; the last word is heeded.
WORDS = "systemd.import_credentials=yes"
BOOT_SECONDS = 420.0
# From the welcome until systemd calls the start finished (the health gate takes a minute
# of it) and has told of it, emulated.
_TELLING_SECONDS = 240.0
# Two were seen to differ by half: of three, the one that another program disturbed is out.
PAIRS = 3
_NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "swtpm": "swtpm",
}
_BLAMED = 15


class Boots:
    """The starts of one machine, in a folder of its own."""

    def __init__(self, disk: Path, folder: Path) -> None:
        need(_NEEDED, "boot the image")
        if not FIRMWARE.is_dir():
            raise BuildError(
                "The firmware is missing that boots the image. Install it by\n"
                "  apt-get install --no-install-recommends ovmf"
            )
        shutil.rmtree(folder, ignore_errors=True)
        self._stand = Stand(disk, folder, GOODS, more_words=WORDS)
        self._machine = self._stand.machine

    def close(self) -> None:
        """Pull every plug."""
        self._stand.close()

    def prepare(self) -> None:
        """Make the machine a lane, and start it once as one: that makes what stays."""
        commission(self._stand)
        self._timed([], lambda: self._welcome("first"))

    def to_welcome(self) -> float:
        """Return the seconds from power to the welcome."""
        return self._timed([], lambda: self._welcome("attract"))

    def to_multi_user(self) -> float:
        """Return the seconds from power to systemd's multi-user target, without a lane."""

        def reached() -> float:
            words = "Reached target multi-user.target"
            return self._machine.wait_for(words, BOOT_SECONDS)

        seconds = self._timed([analyzed.without_lane()], reached)
        if analyzed.NO_LANE not in self._machine.said:
            raise MachineError("The lane was not left out: firmware was not heeded.")
        return seconds

    def analysis(self) -> analyzed.Analysis | None:
        """Return what systemd says of a start to the welcome."""
        self._machine.told = analyzed.asking()
        self._machine.start()
        self._welcome("analyzed")
        self._machine.wait_for(analyzed.END, _TELLING_SECONDS)
        self._machine.kill()
        return analyzed.analysis(self._machine.said)

    def _timed(self, told: list[str], waits: Callable[[], float]) -> float:
        self._machine.told = told
        self._machine.start()
        seconds = waits()
        self._machine.kill()
        return seconds

    def _welcome(self, name: str) -> float:
        shown: Callable[[Image.Image], bool] = like("attract", START_BUTTON)
        return self._stand.wait_until_shown(name, shown, BOOT_SECONDS)


def measure(boots: Boots) -> None:
    """Start the machine again and again, and record what came of it."""
    say("first starts, which make DATA and the lane: ...")
    boots.prepare()
    pairs = []
    for number in range(1, PAIRS + 1):
        say(f"pair {number} of {PAIRS}: ...")
        pairs.append((boots.to_welcome(), boots.to_multi_user()))
        say("  welcome {:.1f} s, multi-user {:.1f} s".format(*pairs[-1]))
    keep(pairs)
    say("one more start, to ask systemd: ...")
    keep_analysis(boots.analysis())


def keep(pairs: list[tuple[float, float]]) -> None:
    """Record the starts that were timed in turns."""
    welcome, multi_user, ratio = paired_medians(pairs)
    detail = [f"welcome {one:.1f} s, multi-user {two:.1f} s" for one, two in pairs]
    figures.record("power-to-welcome", welcome, "s", detail)
    figures.record("power-to-multi-user", multi_user, "s", detail)
    figures.record("power-ratio", ratio, "", detail)


def keep_analysis(told: analyzed.Analysis | None) -> None:
    """Record what systemd said of a start, the slowest units first."""
    if told is None:
        say("systemd-analyze told nothing")
        return
    slowest = [f"{seconds:.1f} s  {unit}" for seconds, unit in told.blame[:_BLAMED]]
    figures.record("startup", told.seconds, "s", [*told.startup, *slowest])
    if told.chain:
        figures.record("startup-chain", told.seconds, "s", told.chain)
