"""A technician's USB stick, with an update on it.

Writes only images of its own; a machine sees it while it is plugged in and is told.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuild.machine import Machine

_MIB = 1 << 20
# As sticks are sold: one FAT partition behind a table of the old kind.
_TABLE = "label: dos\nstart=2048, type=c\n"
# A FAT of 32 bits has a least size.
_LEAST_MIB = 64
_count = itertools.count(1)


def with_file(file: Path, stick: Path) -> Path:
    """Write a stick's image that holds one file, and return it."""
    size = _LEAST_MIB * _MIB + file.stat().st_size
    with stick.open("wb") as image:
        image.truncate(size - size % _MIB)
    _run(["sfdisk", "-q", str(stick)], _TABLE)
    place = f"{stick}@@1M"
    _run(["mformat", "-i", place, "-F", "-v", "SHOP", "::"])
    _run(["mcopy", "-i", place, str(file), f"::/{file.name}"])
    return stick


@contextmanager
def plugged(machine: Machine, stick: Path) -> Iterator[None]:
    """Have a stick in the machine's USB port meanwhile."""
    name = f"technician-{next(_count)}"
    node = {"node-name": name, "filename": str(stick), "read-only": True}
    machine.tell("blockdev-add", driver="file", **node)
    machine.tell("device_add", driver="usb-storage", id=name, drive=name)
    try:
        yield
    finally:
        # QEMU keeps the block node; its name is used only once.
        machine.tell("device_del", id=name)


def _run(command: list[str], told: str = "") -> None:
    subprocess.run(command, check=True, input=told, capture_output=True, text=True)
