"""Builds the appliance: `python3 image-build/build.py image` (see `--help`).

Needs root on Debian 12 or 13, two cores and 24 GiB of disk; no container engine.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from functools import partial
from pathlib import Path

from imagebuild import bundle, disk, kernel, keys, packages, release, root, verity
from imagebuild.stage import CACHE, PROJECT, BuildError, Stage, say

# When the lock was made: the time of every file in the root.
EPOCH = "1764115200"
VARIANTS = ("development", "production")
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
TOOLS = Stage("tools-unpacked", packages.tools, [packages.TOOLS_LOCK])


class Image:
    """One release of one variant, and its stages."""

    def __init__(self, variant: str, number: str) -> None:
        self.keys = keys.chosen(variant)
        self.words = release.Words(number, variant, ANSIBLE.key)
        said = [self.words.text(), self.keys.words()]
        self.final = Stage(
            "final",
            partial(root.finalize, ANSIBLE, self.words, self.keys),
            [ANSIBLE, *said, "3"],
        )
        self.root = Stage(
            "root", partial(verity.root, self.final, EPOCH), [self.final, EPOCH]
        )
        self.sources = kernel.Sources(TOOLS, self.final, self.root)
        boots: list[Path | str | Stage] = [
            TOOLS,
            self.final,
            self.root,
            kernel.COMMAND_LINE,
        ]
        self.uki = Stage("uki", partial(kernel.unsigned, self.sources), boots)
        self.signed = Stage(
            "signed", partial(kernel.signed, self.sources, self.keys), [self.uki]
        )
        parts = [self.root, self.signed]
        packed = partial(bundle.bundle, self.root, self.signed, self.words, self.keys)
        self.bundle = Stage("bundle", packed, parts)
        self.disk = Stage(
            "disk", partial(disk.disk, self.sources, self.signed, self.root), parts
        )

    def done(self) -> None:
        """Make every stage that is not there yet, and say where the results are."""
        root.need_tools()
        for stage in (REPOSITORY, BASE, LANE, ANSIBLE, self.final, self.root):
            stage.done()
        for stage in (TOOLS, self.uki, self.signed, self.bundle, self.disk):
            stage.done()
        say(f"\nRelease {self.words.number}, {self.words.variant}:")
        for file in (*self.disk.folder.iterdir(), *self.bundle.folder.iterdir()):
            say(f"  {file.relative_to(PROJECT)}  {file.stat().st_size / 1e6:.0f} MB")


def this_release() -> str:
    """Return the project's own version."""
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return str(told["project"]["version"])


def main() -> None:
    """Run one task."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("task", choices=("lock", "image"))
    words.add_argument("--variant", choices=VARIANTS, default=VARIANTS[0])
    words.add_argument(
        "--release", default=this_release(), help="its number, such as 1.4.0"
    )
    asked = words.parse_args()
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        if asked.task == "lock":
            packages.lock()
        else:
            Image(asked.variant, asked.release).done()
    except BuildError as error:
        sys.exit(f"image: {error}")


if __name__ == "__main__":
    main()
