"""A machine's disk, read from outside while its power is off.

Needs no device mapper and no loop device: partitions are found by their table and read
where they lie. Never writes to the machine's own disk.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from imagebuild.volumes import partitions


class OfflineDisk:
    """A copy of a machine's disk in a folder; holes stay holes."""

    def __init__(self, layer: Path, folder: Path) -> None:
        self.path = folder / "disk.raw"
        convert = ["qemu-img", "convert", "-O", "raw", str(layer), str(self.path)]
        subprocess.run(convert, check=True)
        self._parts = partitions(self.path)

    def state_file(self, name: str) -> bytes:
        """Return what a file on STATE holds."""
        place = f"{self.path}?offset={self._parts['STATE'].begin}"
        return subprocess.run(
            ["debugfs", "-R", f"cat /{name}", place], check=True, capture_output=True
        ).stdout

    def opens(self, key: str) -> bool:
        """Say whether DATA opens with this key."""
        # LUKS is told where its header begins by nothing but the file's own beginning.
        data = self.path.with_suffix(".data")
        with self.path.open("rb") as whole, data.open("wb") as header:
            whole.seek(self._parts["DATA"].begin)
            header.write(whole.read(32 << 20))
            header.truncate(self._parts["DATA"].length)
        tried = subprocess.run(
            ["cryptsetup", "open", "--test-passphrase", "--key-file=-", str(data)],
            input=key.encode(),
            check=False,
        )
        return tried.returncode == 0
