"""The root as one verified file, the kernel that names its hash, and the disk of both.

The same inputs give the same bytes: times, ids and salts are fixed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from imagebuild.root import TOOLS
from imagebuild.stage import BuildError, Stage, run

# Fixed: the hash of the root is to follow from the root alone.
_UUID = "5ee1f0e5-7a11-4b0a-9d6e-000000000001"
_SALT = "00" * 32
_MIB = 1 << 20
_ROOT_HASH = re.compile(r"Root hash:\s+([0-9a-f]{64})")
_SECTORS_PER_MIB = 2048
# Name, size in MiB, type: as sfdisk names them. A disk of 8 GiB at least.
_PARTITIONS = (
    ("ESP", 64, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
    ("BOOT0", 128, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
    ("BOOT1", 128, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"),
    ("ROOT_A", 1024, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    ("ROOT_B", 1024, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    ("STATE", 256, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    ("DATA", 2048, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
)
_FIRST_MIB = 1
COMMAND_LINE = (
    "boot=stillopen ro quiet loglevel=3 systemd.show_status=false vt.global_cursor_default=0"
    " systemd.volatile=state panic=10 rd.systemd.gpt_auto=no systemd.gpt_auto=no"
)


def root(final: Stage, epoch: str, folder: Path) -> None:
    """Pack the root and append its hash tree; `roothash` and `offset` stand beside it."""
    image = folder / "root.img"
    run(
        [
            *("mksquashfs", str(final.folder / "root"), str(image), "-comp", "zstd"),
            *("-noappend", "-no-progress", "-quiet", "-reproducible", "-xattrs"),
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


def uki(tools_stage: Stage, final: Stage, root_stage: Stage, folder: Path) -> None:
    """Join kernel, initial file system and command line into one file."""
    hash_of, offset = (
        (root_stage.folder / name).read_text() for name in ("roothash", "offset")
    )
    line = f"{COMMAND_LINE} stillopen.roothash={hash_of} stillopen.hashoffset={offset}"
    release = final.folder / "root" / "usr/lib/os-release"
    stub = tools_stage.folder / "root/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
    run(
        [
            *(
                str(TOOLS / "bin/python"),
                str(tools_stage.folder / "root/usr/bin/ukify"),
            ),
            "build",
            f"--linux={final.folder / 'vmlinuz'}",
            f"--initrd={final.folder / 'initrd'}",
            f"--stub={stub}",
            f"--os-release=@{release}",
            f"--cmdline={line}",
            f"--output={folder / 'kernel.efi'}",
        ]
    )


def disk(uki_stage: Stage, root_stage: Stage, folder: Path) -> None:
    """Lay the disk out: no loop device, no mount."""
    image = folder / "disk.img"
    total = _FIRST_MIB + sum(size for _, size, _ in _PARTITIONS) + 1
    with image.open("wb") as file:
        file.truncate(total * _MIB)
    lines = ["label: gpt", f"label-id: {_UUID}"]
    begin = {}
    at = _FIRST_MIB
    for number, (name, size, kind) in enumerate(_PARTITIONS, 1):
        begin[name] = at
        digest = hashlib.sha256(name.encode()).hexdigest()
        uuid = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
        start = at * _SECTORS_PER_MIB
        lines.append(
            f"{number}: start={start}, size={size * _SECTORS_PER_MIB},"
            f" type={kind}, name={name}, uuid={uuid}"
        )
        at += size
    table = folder / "table"
    table.write_text("\n".join(lines) + "\n")
    run(["sh", "-c", f"sfdisk -q {image} < {table}"])
    esp = f"{image}@@{begin['ESP']}M"
    run(
        [
            "mformat",
            "-i",
            esp,
            "-T",
            str(64 * _SECTORS_PER_MIB),
            "-F",
            "-v",
            "ESP",
            "::",
        ]
    )
    run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"])
    kernel = uki_stage.folder / "kernel.efi"
    run(["mcopy", "-i", esp, str(kernel), "::/EFI/BOOT/BOOTX64.EFI"])
    source = root_stage.folder / "root.img"
    if source.stat().st_size > 1024 * _MIB:
        raise BuildError("The root is larger than its slot of 1 GiB.")
    with image.open("r+b") as target, source.open("rb") as given:
        target.seek(begin["ROOT_A"] * _MIB)
        shutil.copyfileobj(given, target, 1 << 22)
    table.unlink()
