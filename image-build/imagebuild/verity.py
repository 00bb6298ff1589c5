"""The root as one file with its hash tree.

The same inputs give the same bytes: times, ids and salts are fixed.
"""

from __future__ import annotations

import re
from pathlib import Path

from imagebuild.stage import BuildError, Stage, run

# Fixed: the hash of the root is to follow from the root alone.
_UUID = "5ee1f0e5-7a11-4b0a-9d6e-000000000001"
_SALT = "00" * 32
_MIB = 1 << 20
_ROOT_HASH = re.compile(r"Root hash:\s+([0-9a-f]{64})")


def root(final: Stage, epoch: str, folder: Path) -> None:
    """Pack the root and append its hash tree; `roothash` and `offset` stand beside it."""
    image = folder / "root.img"
    run(
        [
            *("mksquashfs", str(final.folder / "root"), str(image), "-comp", "zstd"),
            *("-noappend", "-no-progress", "-quiet", "-reproducible", "-xattrs"),
            # Twice the usual block: a tenth smaller, and read as fast.
            *("-b", "256K"),
            *("-processors", "2"),
        ],
        SOURCE_DATE_EPOCH=epoch,
    )
    size = image.stat().st_size
    offset = -(-size // _MIB) * _MIB
    with image.open("r+b") as file:
        file.truncate(offset)
    told = run(
        [
            *("veritysetup", "format", str(image), str(image)),
            *(f"--hash-offset={offset}", f"--uuid={_UUID}", f"--salt={_SALT}"),
            f"--data-blocks={offset // 4096}",
        ]
    )
    found = _ROOT_HASH.search(told)
    if found is None:
        raise BuildError("veritysetup told no root hash")
    (folder / "roothash").write_text(found[1])
    (folder / "offset").write_text(str(offset))
