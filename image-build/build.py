"""Builds the appliance: `python3 image-build/build.py image` (see `--help`).

Needs root on Debian 12 or 13, two cores and 24 GiB of disk; no container engine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from imagebuild import (
    bundle,
    disk,
    dpkg,
    figures,
    final,
    kernel,
    keys,
    libraries,
    licenses,
    lists,
    manifest,
    order,
    packages,
    prune,
    release,
    root,
    same,
    sbom,
    scores,
    verity,
)
from imagebuild.stage import CACHE, PROJECT, BuildError, Stage, code, remove, say

# When the lock was made: the time of every file in the root.
EPOCH = "1764115200"
VARIANTS = ("development", "production")
REPOSITORY = Stage("repository", packages.repository, [packages.LOCK])
BASE = Stage("base", partial(root.base, REPOSITORY), [REPOSITORY, packages.LIST, "2"])
LANE = Stage(
    "lane",
    root.lane,
    [
        *(root.LANE_LOCK, "4"),
        *(PROJECT / name for name in ("kiosk", "hardware", "pyproject.toml")),
    ],
)
ANSIBLE = Stage(
    "ansible",
    partial(root.ansible, BASE, LANE),
    [
        *(BASE, LANE),
        # What makes a root, and not what is said about it.
        *(
            root.ANSIBLE / name
            for name in ("ansible.cfg", "image.yml", "group_vars", "roles")
        ),
    ],
)
BILL = Stage(
    "sbom",
    partial(sbom.make, ANSIBLE, LANE, packages.LOCK, EPOCH),
    [
        *(ANSIBLE, LANE),
        *(packages.LOCK, prune.PURGE_LIST, licenses.TABLE),
        *code(sbom, licenses, dpkg),
        EPOCH,
    ],
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
            partial(final.finalize, ANSIBLE, BILL, EPOCH, self.words, self.keys),
            [
                *(ANSIBLE, BILL),
                *(EPOCH, *said),
                *(prune.MODULES_LIST, prune.PURGE_LIST, manifest.MANIFEST),
                scores.TABLE,
                *code(final, prune, manifest, libraries, lists, dpkg, release),
                *code(order, scores),
            ],
        )
        self.root = Stage(
            "root",
            partial(verity.root, self.final, EPOCH),
            [self.final, EPOCH, *code(verity)],
        )
        self.sources = kernel.Sources(TOOLS, self.final, self.root)
        boots: list[Path | str | Stage] = [
            TOOLS,
            self.final,
            self.root,
            *code(kernel),
        ]
        self.uki = Stage("uki", partial(kernel.unsigned, self.sources), boots)
        self.signed = Stage(
            "signed", partial(kernel.signed, self.sources, self.keys), [self.uki]
        )
        parts = [self.root, self.signed]
        packed = partial(bundle.bundle, self.root, self.signed, self.words, self.keys)
        self.bundle = Stage("bundle", packed, [*parts, *code(bundle)])
        laid_out = partial(disk.disk, self.sources, self.signed, self.root)
        self.disk = Stage("disk", laid_out, [*parts, *code(disk)])

    @property
    def stages(self) -> list[Stage]:
        """Every stage, in the order in which they are made."""
        before = [REPOSITORY, BASE, LANE, ANSIBLE, BILL, self.final, self.root, TOOLS]
        return [*before, self.uki, self.signed, self.bundle, self.disk]

    def verified(self) -> None:
        """Make what the image verifies: the root and the unsigned kernel."""
        root.need_tools()
        for stage in (REPOSITORY, BASE, LANE, ANSIBLE, BILL, self.final, self.root):
            stage.done()
        for stage in (TOOLS, self.uki):
            stage.done()

    def next(self) -> None:
        """Make a bundle of this tree under another number; keep the image that is there.

        Tests update to it. Its stages are not kept: only the bundle is, in `next`.
        """
        target = CACHE / "next"
        made = target / f"stillopen-{self.words.number}.swu"
        key = target / "key"
        if made.is_file() and key.read_text() == self.bundle.key:
            say(f"bundle {self.words.number}: as before")
            return
        remove(target)
        for stage in (REPOSITORY, BASE, LANE, ANSIBLE, BILL, TOOLS):
            stage.done()
        for stage in (self.final, self.root, self.uki, self.signed, self.bundle):
            stage.done(keeps_others=True)
        target.mkdir()
        shutil.move(next(iter(self.bundle.folder.glob("*.swu"))), made)
        key.write_text(self.bundle.key)
        for stage in (self.final, self.root, self.uki, self.signed, self.bundle):
            remove(stage.folder)

    def twice(self) -> None:
        """Make root and kernel twice, and compare them."""
        self.verified()
        images = [(self.root, "root.img"), (self.uki, "kernel.efi")]
        same.same(self.final, images, self.words)

    def done(self, begun: float) -> None:
        """Make every stage that is not there yet, and say where the results are.

        Records how long that took since `begun` (seconds of the clock), and from what.
        """
        pool = len(packages.pooled())
        self.verified()
        for stage in (self.signed, self.bundle, self.disk):
            stage.done()
        figures.built(self.stages, (pool, len(packages.pooled())), time.time() - begun)
        shutil.copy(BILL.folder / sbom.NAME, self.disk.folder)
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
    words.add_argument("task", choices=("lock", "image", "root", "same", "bundle"))
    words.add_argument("--variant", choices=VARIANTS, default=VARIANTS[0])
    words.add_argument(
        "--release", default=this_release(), help="its number, such as 1.4.0"
    )
    words.add_argument(
        "--begun",
        type=float,
        default=time.time(),
        help="when make began to prepare for it: seconds since 1970",
    )
    asked = words.parse_args()
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        if asked.task == "lock":
            packages.lock()
            return
        image = Image(asked.variant, asked.release)
        tasks: dict[str, Callable[[], None]] = {
            "image": partial(image.done, asked.begun),
            "root": image.verified,
            "same": image.twice,
            "bundle": image.next,
        }
        tasks[asked.task]()
    except BuildError as error:
        sys.exit(f"image: {error}")


if __name__ == "__main__":
    main()
