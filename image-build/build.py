"""Builds the appliance: `python3 image-build/build.py image` (see `--help`).

Needs root on Debian 12 or 13, two cores and 24 GiB of disk; no container engine.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from imagebuild import packages, root, verity
from imagebuild.stage import PROJECT, BuildError, Stage

# When the lock was made: the time of every file in the root.
EPOCH = "1764115200"
REPOSITORY = Stage("repository", packages.repository, [packages.LOCK])
BASE = Stage("base", partial(root.base, REPOSITORY), [REPOSITORY, packages.LIST])
LANE = Stage(
    "lane",
    root.lane,
    [
        root.LANE_LOCK,
        *(PROJECT / name for name in ("kiosk", "hardware", "pyproject.toml")),
    ],
)
ANSIBLE = Stage(
    "ansible", partial(root.ansible, BASE, LANE), [BASE, LANE, root.ANSIBLE]
)
FINAL = Stage("final", partial(root.finalize, ANSIBLE), [ANSIBLE, "1"])
ROOT = Stage("root", partial(verity.root, FINAL, EPOCH), [FINAL, EPOCH])
TOOLS = Stage("tools-unpacked", packages.tools, [packages.TOOLS_LOCK])
UKI = Stage(
    "uki",
    partial(verity.uki, TOOLS, FINAL, ROOT),
    [TOOLS, FINAL, ROOT, verity.COMMAND_LINE],
)
DISK = Stage("disk", partial(verity.disk, UKI, ROOT), [UKI, ROOT, "1"])
STAGES = (REPOSITORY, BASE, LANE, ANSIBLE, FINAL, ROOT, TOOLS, UKI, DISK)


def image() -> None:
    """Make every stage that is not there yet."""
    root.need_tools()
    for stage in STAGES:
        stage.done()


TASKS = {"lock": packages.lock, "image": image}


def main() -> None:
    """Run one task."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("task", choices=TASKS)
    asked = words.parse_args()
    try:
        TASKS[asked.task]()
    except BuildError as error:
        sys.exit(f"image: {error}")


if __name__ == "__main__":
    main()
