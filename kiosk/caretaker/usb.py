"""What lsblk and usbguard print, read: which sticks there are, which may come in.

Text in, values out; starts no program.
"""

from __future__ import annotations

import re

import msgspec

from kiosk.caretaker.outside import StickAt

KINDS = ("vfat", "exfat")
# Mass storage and nothing else: SCSI over bulk-only transport, or over UAS.
_STORAGE = {"08:06:50", "08:06:62"}
_RULE = re.compile(r"^(?P<id>\d+): block .* with-interface (?P<faces>\{[^}]*\}|\S+)")


class _Block(msgspec.Struct, frozen=True):
    path: str
    type: str
    fstype: str | None = None
    tran: str | None = None
    children: tuple[_Block, ...] = ()


class _Listing(msgspec.Struct, frozen=True):
    blockdevices: tuple[_Block, ...] = ()


def sticks(lsblk: bytes) -> tuple[StickAt, ...]:
    """Return the FAT and exFAT file systems on USB disks, from `lsblk --json`.

    A stick without a partition table is one file system itself.
    """
    try:
        listing = msgspec.json.decode(lsblk, type=_Listing)
    except msgspec.DecodeError:
        return ()
    return tuple(
        StickAt(block.path, block.fstype)
        for disk in listing.blockdevices
        if disk.tran == "usb" and disk.type == "disk"
        for block in (disk, *disk.children)
        if block.fstype in KINDS
    )


def blocked_sticks(usbguard: str) -> tuple[str, ...]:
    """Return the ids of blocked devices that are storage alone, from `usbguard
    list-devices --blocked`. A stick that is a keyboard too stays out."""
    found = []
    for line in usbguard.splitlines():
        if rule := _RULE.match(line):
            faces = set(rule["faces"].strip("{}").split())
            if faces and faces <= _STORAGE:
                found.append(rule["id"])
    return tuple(found)
