"""The last tree of the root: pruned, purged, the same from build to build, and checked.

Kernel and initial file system leave it for a place beside it; the bill of materials goes
in. Nothing is added here that Ansible could have added.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from imagebuild import (
    dpkg,
    libraries,
    manifest,
    order,
    prune,
    release,
    sbom,
    scores,
)
from imagebuild.keys import Keys
from imagebuild.release import Words
from imagebuild.root import mounted
from imagebuild.stage import Stage, remove, run, say

_PYTHON = ("usr/lib/python3.13", "usr/lib/python3", prune.SITE)
_DAY = 24 * 60 * 60
_MB = 1_000_000
_CHANGED_DAY = re.compile(r"^([^:]*:[^:]*:)\d+(:.*)$", re.M)


def finalize(
    before: Stage, bill: Stage, epoch: str, words: Words, keys: Keys, folder: Path
) -> None:
    """Make the final tree; `vmlinuz`, `initrd`, sizes and scores stand beside it."""
    root = folder / "root"
    run(["cp", "-a", "--reflink=auto", str(before.folder / "root"), str(root)])
    release.write(root, words, keys)
    known = dpkg.database(root)
    listed = manifest.manifest()
    with _told("modules", root), mounted(root):
        kept = prune.modules(root)
        prune.firmware(root, prune.index_modules(root, kept))
        _initrd(root, epoch, folder)
    with _told("purge", root):
        prune.purge(root, known)
    with mounted(root):
        settle(root, int(epoch))
        libraries.check(root, listed.excused)
        libraries.imports(root, prune.SITE)
    # Some modules make a folder there as soon as they are imported.
    for left in (root / "tmp").iterdir():
        remove(left)
    target = root / sbom.PLACE
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(bill.folder / sbom.NAME, target)
    manifest.check(root, known, listed, before.folder / "root")
    order.check(root)
    (folder / "scores.md").write_text(scores.report(scores.check(root)))
    table = manifest.sizes(root, known, listed)
    (folder / "sizes").write_text(
        "".join(f"{held / _MB:8.2f} MB  {owner}\n" for owner, held in table)
    )


def settle(root: Path, epoch: int) -> None:
    """Make anew, always the same, what a build leaves with times or hashes of its own."""
    (root / "etc/machine-id").touch()
    # A link cannot be made while a chroot uses the builder's names.
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
    one_day(root, epoch)
    for place in _PYTHON:
        for cache in (root / place).rglob("__pycache__"):
            remove(cache)
    run(
        [
            # One process: what two share out between them, they share out by chance.
            *("chroot", str(root), "python3", "-m", "compileall", "-q"),
            *("--invalidation-mode", "unchecked-hash"),
            *(f"/{place}" for place in _PYTHON),
        ],
        PYTHONHASHSEED="0",
    )
    run(["chroot", str(root), "ldconfig", "-X"])
    remove(root / "var/cache/ldconfig")


def one_day(root: Path, epoch: int) -> None:
    """Say of every password that it was set on the day of the build's fixed time."""
    shadow = root / "etc/shadow"
    text = _CHANGED_DAY.sub(rf"\g<1>{epoch // _DAY}\g<2>", shadow.read_text())
    shadow.write_text(text)


def _initrd(root: Path, epoch: str, folder: Path) -> None:
    (version,) = (path.name for path in (root / "usr/lib/modules").iterdir())
    run(
        ["chroot", str(root), "mkinitramfs", "-o", "/boot/initrd", version],
        SOURCE_DATE_EPOCH=epoch,
    )
    for name in ("initrd", f"vmlinuz-{version}"):
        shutil.move(root / "boot" / name, folder / name.split("-")[0])


class _told:
    """Says how much a step took out of the root, and how long it took."""

    def __init__(self, step: str, root: Path) -> None:
        self._step, self._root = step, root

    def __enter__(self) -> None:
        self._begun, self._held = time.monotonic(), prune.size(self._root)

    def __exit__(self, *_: object) -> None:
        held = prune.size(self._root)
        say(
            f"  {self._step}: {self._held / _MB:.0f} MB -> {held / _MB:.0f} MB,"
            f" {time.monotonic() - self._begun:.0f} s"
        )
