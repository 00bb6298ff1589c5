"""A machine's disk, read from outside while its power is off.

Needs no device mapper and no loop device: partitions are found by their table and read
where they lie. Never writes to the machine's own disk.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path


class OfflineDisk:
    """A copy of a machine's disk in a folder; holes stay holes."""

    def __init__(self, layer: Path, folder: Path) -> None:
        self.path = folder / "disk.raw"
        convert = ["qemu-img", "convert", "-O", "raw", str(layer), str(self.path)]
        subprocess.run(convert, check=True)
        table = _output("sfdisk", "--json", str(self.path))
        found = json.loads(table)["partitiontable"]
        sector = found.get("sectorsize", 512)
        self.begins = {
            one["name"]: one["start"] * sector for one in found["partitions"]
        }
        self.sizes = {one["name"]: one["size"] * sector for one in found["partitions"]}

    def state_file(self, name: str) -> bytes:
        """Return what a file on STATE holds."""
        place = f"{self.path}?offset={self.begins['STATE']}"
        return subprocess.run(
            ["debugfs", "-R", f"cat /{name}", place], check=True, capture_output=True
        ).stdout

    def opens(self, key: str) -> bool:
        """Say whether DATA opens with this key."""
        # LUKS is told where its header begins by nothing but the file's own beginning.
        data = self.path.with_suffix(".data")
        with self.path.open("rb") as whole, data.open("wb") as header:
            whole.seek(self.begins["DATA"])
            header.write(whole.read(32 << 20))
            header.truncate(self.sizes["DATA"])
        tried = subprocess.run(
            ["cryptsetup", "open", "--test-passphrase", "--key-file=-", str(data)],
            input=key.encode(),
            check=False,
        )
        return tried.returncode == 0


def _output(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout
