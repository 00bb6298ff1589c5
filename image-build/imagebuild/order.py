"""Whether the root's units can start in the order that they ask for: no ring of them.

systemd breaks a ring by leaving one of its units out, another one at each boot: a kiosk
would start without its firewall once in a while. The root's own systemd is asked, with
what its generators make of fstab and crypttab. A unit that only a device brings up is not
asked about. Changes nothing in the root.

    python3 -m imagebuild.order ROOT    as root, for a root tree
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from imagebuild import scores
from imagebuild.stage import BuildError, run

_GOAL = "default.target"
_ENDED = re.compile(r"^ended: (\d+)$", re.M)
_RING = re.compile(r"^.*ordering cycle.*$", re.M | re.I)
_MASKED = re.compile(r"Failed to open \S+: No such file")
# Generators are kept in a box of systemd's own, which needs a mount as their root. What
# is mounted goes with the program.
_INSIDE = """
mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount -t sysfs sysfs sys &&
for place in run tmp dev; do mount -t tmpfs tmpfs "$place" || exit; done || exit
chroot . systemd-analyze verify --man=no --generators=yes "$@" 2>&1
echo "ended: $?"
"""


def check(root: Path, ask: Callable[[Path, list[str]], str] | None = None) -> None:
    """Raise `BuildError` with each ring that starting the kiosk, or one of ours, meets."""
    ours = [one for one in scores.services(root) if one.startswith(scores.OURS)]
    told = (ask or verified)(root, [_GOAL, *ours])
    if found := rings(told):
        raise BuildError(
            "Units wait for each other in a ring:\n  "
            + "\n  ".join(found)
            + "\nTake an After= or a Before= away from one of them."
        )
    ended = _ENDED.search(told)
    if ended is None or ended[1] != "0":
        words = [line for line in told.splitlines() if not _MASKED.search(line)]
        raise BuildError(
            "systemd could not work the order of the units out:\n  "
            + "\n  ".join(words[-15:])
        )


def rings(told: str) -> list[str]:
    """Return what systemd said of rings, each line once."""
    return list(dict.fromkeys(_RING.findall(told)))


def verified(root: Path, units: list[str]) -> str:
    """Return all that the root's systemd says about starting these units."""
    return run(
        ["unshare", "--mount", "sh", "-c", _INSIDE, str(root), *units],
        SYSTEMD_LOG_TARGET="console",
        SYSTEMD_LOG_LEVEL="info",
    )


if __name__ == "__main__":
    try:
        check(Path(sys.argv[1]))
    except BuildError as error:
        sys.exit(f"image: {error}")
