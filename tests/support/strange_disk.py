"""A stick that wants to be booted: a boot loader's environment, newer than the kiosk's.

Also what a machine's own disk says of the time. Writes only files of its own; mounts
nothing.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from imagebuild import disk as layout

CACHE = Path(__file__).parents[2] / "var" / "image"
_MIB = 1 << 20
_SIZE_MIB, _BEGIN_MIB, _PART_MIB = 66, 1, 64
_SECTORS_PER_MIB = 2048
# EFI Boot Guard looks at FAT file systems of this type ("basic data").
_BASIC = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
# Higher than any that a kiosk's updates reach.
REVISION = 9999
# ext4's super block, its magic number and when it was last mounted (struct
# ext4_super_block).
_SUPER, _MAGIC_AT, _MOUNTED_AT = 1024, 0x38, 0x2C
_MAGIC = 0xEF53


@dataclass(frozen=True, slots=True)
class NotExt4(Exception):
    """No ext4 file system begins where STATE should."""

    magic: int


def make(folder: Path) -> Path:
    """Write a stick's image into a folder: one FAT partition, STICK, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    stick = folder / "stick.img"
    with stick.open("wb") as file:
        file.truncate(_SIZE_MIB * _MIB)
    table = (
        f"label: gpt\nstart={_BEGIN_MIB * _SECTORS_PER_MIB},"
        f" size={_PART_MIB * _SECTORS_PER_MIB}, type={_BASIC}, name=STICK\n"
    )
    _run(["sfdisk", "-q", str(stick)], table)
    place = f"{stick}@@{_BEGIN_MIB}M"
    sectors = str(_PART_MIB * _SECTORS_PER_MIB)
    _run(["mformat", "-i", place, "-T", sectors, "-v", "STICK", "::"])
    aside = folder / "stick"
    aside.mkdir(exist_ok=True)
    (aside / "EFILABEL").write_bytes("STICK".encode("utf-16-le"))
    _run(
        [
            *_program("usr/bin/bg_setenv"),
            *("-f", str(aside), "-r", str(REVISION), "-s", "OK"),
            *("--kernel=C:STICK:k.efi", "--watchdog=30"),
        ]
    )
    for name in ("EFILABEL", "BGENV.DAT"):
        _run(["mcopy", "-i", place, "-o", str(aside / name), f"::/{name}"])
    return stick


def state_mounted_at(layer: Path) -> int:
    """Return when a machine last mounted its STATE, by its own clock (Unix time).

    Raises `NotExt4`.
    """
    begin = (max(layout.begin_mib().values()) + layout.PARTITIONS[-1][1]) * _MIB
    command = f"read -v {begin + _SUPER} 512"
    shown = _run(["qemu-io", "-r", "-f", "qcow2", "-c", command, str(layer)])
    rows = re.findall(r"^[0-9a-f]+:  ((?:[0-9a-f]{2} ){16})", shown, re.MULTILINE)
    block = bytes.fromhex("".join(rows))
    magic = int.from_bytes(block[_MAGIC_AT : _MAGIC_AT + 2], "little")
    if magic != _MAGIC:
        raise NotExt4(magic)
    return int.from_bytes(block[_MOUNTED_AT : _MOUNTED_AT + 4], "little")


def _program(place: str) -> list[str]:
    (root,) = CACHE.glob("final-*/root")
    library = root / "usr/lib/x86_64-linux-gnu"
    return [
        *(str(library / "ld-linux-x86-64.so.2"), "--library-path", str(library)),
        str(root / place),
    ]


def _run(command: list[str], told: str = "") -> str:
    done = subprocess.run(
        command, check=True, input=told, capture_output=True, text=True
    )
    return done.stdout
