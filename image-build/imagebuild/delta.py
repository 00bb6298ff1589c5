"""What an update would have to fetch when one Python file of the lane changed.

Packs the final root a second time with a line more in one file, and cuts both images by
their content as SWUpdate's delta handler has it (zchunk). The stage itself is not touched:
the change is made in a copy, which goes away again.
"""

from __future__ import annotations

import re
import struct
from functools import partial
from pathlib import Path
from typing import NamedTuple

from imagebuild import figures, verity
from imagebuild.stage import BuildError, Stage, need, remove, run, say

# In the middle of the lane's own, neither its smallest file nor its largest.
CHANGED = "usr/lib/stillopen/kiosk/domain/pricing.py"
_LINE = "\n# A line more, as a correction would have it.\n"
_TOLD = re.compile(r"Would download (\d+) of (\d+) bytes")
# Where a squashfs says when it was made (Documentation/filesystems/squashfs).
_MADE_AT = 8
_NEEDED = {
    "zck": "zchunk",
    "mksquashfs": "squashfs-tools",
    "veritysetup": "cryptsetup-bin",
}


class Fetched(NamedTuple):
    """How many bytes of the changed root are fetched, the index of chunks included."""

    fetched: int
    whole: int


def measure(final: Path, root: Path, kernel: Path, bundle: Path) -> None:
    """Record what the change costs. `root` is the image that `final` was packed into."""
    need(_NEEDED, "measure a delta")
    changed = Stage("changed", partial(_change, final), [final.name])
    packed = Stage(
        "changed-root", partial(verity.root, changed, _epoch(root)), [changed]
    )
    try:
        changed.done()
        new = packed.done() / "root.img"
        say("  chunks of both roots: ...")
        got = between(root, new)
    finally:
        for stage in (changed, packed):
            remove(stage.folder)
    share = 100 / bundle.stat().st_size
    figures.record(
        "delta-root",
        got.fetched / 2**20,
        "MiB",
        [
            f"{CHANGED} and its compiled form changed",
            f"zchunk, chunks by content, as stored: {got.fetched} of {got.whole} bytes,"
            f" {got.fetched * share:.1f} % of the bundle",
        ],
    )
    # The kernel file names the root's hash, and lies on FAT: it is fetched whole.
    both = got.fetched + kernel.stat().st_size
    detail = [f"{both} bytes, {both * share:.1f} % of the bundle"]
    figures.record("delta-with-kernel", both / 2**20, "MiB", detail)


def between(old: Path, new: Path) -> Fetched:
    """Return what of a new image is not in an old one, cut into chunks by content."""
    folder = new.parent
    cut = [folder / f"{name}.zck" for name in ("old", "new")]
    for source, target in zip((old, new), cut):
        # As SWUpdate's handler asks for: chunks as stored, named by SHA-256.
        words = ["--uncompressed", "--chunk-hash-type", "sha256"]
        run(["zck", *words, "--output", str(target), str(source)])
    told = run(["zck_delta_size", *map(str, cut)])
    found = _TOLD.search(told)
    if found is None:
        raise BuildError(f"zck_delta_size told no size: {told}")
    return Fetched(int(found[1]), int(found[2]))


def _change(final: Path, folder: Path) -> None:
    root = folder / "root"
    run(["cp", "-a", "--reflink=auto", str(final / "root"), str(root)])
    file = root / CHANGED
    file.write_text(file.read_text() + _LINE)
    run(
        [
            # As the build compiles.
            *("chroot", str(root), "python3", "-m", "compileall", "-q"),
            *("--invalidation-mode", "unchecked-hash", f"/{CHANGED}"),
        ],
        PYTHONHASHSEED="0",
    )


def _epoch(image: Path) -> str:
    """Return the time that an image was packed under."""
    with image.open("rb") as file:
        head = file.read(_MADE_AT + 4)
    (made,) = struct.unpack_from("<I", head, _MADE_AT)
    return str(made)
