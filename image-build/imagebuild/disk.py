"""The disk that is written to a kiosk: loader, one filled slot, one empty slot.

No loop device, no mount. STATE and DATA are not in it: the kiosk makes them in the rest
of its own disk at its first start (`ansible/roles/data`), DATA with a key that no build
ever sees.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from imagebuild.kernel import Sources
from imagebuild.stage import BuildError, Stage, run

_MIB = 1 << 20
_SECTORS_PER_MIB = 2048
_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_BASIC = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
# Name, size in MiB, type. EFI Boot Guard looks for its environments on "basic" ones.
PARTITIONS = (
    ("ESP", 64, _ESP),
    ("BOOT0", 128, _BASIC),
    ("BOOT1", 128, _BASIC),
    ("ROOT_A", 1024, _LINUX),
    ("ROOT_B", 1024, _LINUX),
)
_FIRST_MIB = 1
# From the loader to systemd's first ping: a slow disk's kernel and root, twice over.
WATCHDOG_SECONDS = 120


def begin_mib() -> dict[str, int]:
    """Return where each partition begins."""
    begins, at = {}, _FIRST_MIB
    for name, size, _ in PARTITIONS:
        begins[name] = at
        at += size
    return begins


def size_mib() -> int:
    """Return how large the written disk is, its second table included."""
    return _FIRST_MIB + sum(size for _, size, _ in PARTITIONS) + 1


def disk(sources: Sources, signed: Stage, root: Stage, folder: Path) -> None:
    """Lay the disk out and fill slot A."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(size_mib() * _MIB)
    _table(image, folder)
    begin = begin_mib()
    esp = _fat(image, "ESP", 32)
    run(["mmd", "-i", esp, "::/EFI", "::/EFI/BOOT"])
    _copy(esp, signed.folder / "loader.efi", "/EFI/BOOT/BOOTX64.EFI")
    for number, kernel in enumerate((signed.folder / "kernel.efi", None)):
        _boot(image, number, kernel, sources, folder)
    source = root.folder / "root.img"
    if source.stat().st_size > 1024 * _MIB:
        raise BuildError("The root is larger than its slot of 1 GiB.")
    with image.open("r+b") as target, source.open("rb") as given:
        target.seek(begin["ROOT_A"] * _MIB)
        shutil.copyfileobj(given, target, 1 << 22)


def _table(image: Path, folder: Path) -> None:
    lines = ["label: gpt", f"label-id: {_uuid('disk')}"]
    begin = begin_mib()
    for number, (name, size, kind) in enumerate(PARTITIONS, 1):
        lines.append(
            f"{number}: start={begin[name] * _SECTORS_PER_MIB},"
            f" size={size * _SECTORS_PER_MIB}, type={kind}, name={name},"
            f" uuid={_uuid(name)}"
        )
    run(["sfdisk", "-q", str(image)], told="\n".join(lines) + "\n")


def _uuid(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return (
        f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    )


def _fat(image: Path, name: str, bits: int) -> str:
    """Format one partition as FAT and return what mtools calls it."""
    place = f"{image}@@{begin_mib()[name]}M"
    size = next(mib for other, mib, _ in PARTITIONS if other == name)
    kind = ["-F"] if bits == 32 else []
    serial = hashlib.sha256(name.encode()).hexdigest()[:8]
    sectors = str(size * _SECTORS_PER_MIB)
    run(["mformat", "-i", place, "-T", sectors, *kind, "-v", name, "-N", serial, "::"])
    return place


def _copy(place: str, source: Path, target: str) -> None:
    run(["mcopy", "-i", place, "-o", str(source), f"::{target}"])


def _boot(
    image: Path, number: int, kernel: Path | None, sources: Sources, folder: Path
) -> None:
    """Fill one BOOT partition: its label, its environment, its kernel if it has one."""
    name = f"BOOT{number}"
    place = _fat(image, name, 16)
    aside = folder / name
    aside.mkdir()
    # Some firmware does not tell a FAT volume's own label: EFI Boot Guard, USAGE.md.
    (aside / "EFILABEL").write_bytes(name.encode("utf-16-le"))
    revision = 0 if kernel is None else 1
    run(
        [
            *sources.program("usr/bin/bg_setenv"),
            *("-f", str(aside), "-r", str(revision), "-s", "OK"),
            f"--kernel=C:{name}:k.efi",
            f"--watchdog={WATCHDOG_SECONDS}",
        ]
    )
    for file in ("EFILABEL", "BGENV.DAT"):
        _copy(place, aside / file, f"/{file}")
    if kernel is not None:
        _copy(place, kernel, "/k.efi")
    shutil.rmtree(aside)
