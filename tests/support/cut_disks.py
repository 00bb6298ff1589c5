"""Block-write logs and small disks laid out as a kiosk's, for the tests of power cuts.

The disks are made by the programs that make real ones: sfdisk, mtools, mke2fs,
cryptsetup, veritysetup. DATA is encrypted here, with the key that cryptsetup gave it.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from imagebuild.blocklog import DISCARD, FLUSH
from imagebuild.volumes import Xts, open_luks
from synced import sale_of

from kiosk.domain import body as bodies
from kiosk.domain.effects import Fact, SaleMade
from kiosk.domain.events import HelpPressed
from kiosk.escrow import sealed
from kiosk.records.journal import Journal
from kiosk.records.keys import LaneKey

SECTOR = 512
MIB = 1 << 20
RECOVERY_KEY = "a-recovery-key-of-a-test"
LANE_KEY = LaneKey.from_seed(bytes(range(32)))
# Name, first MiB, MiB.
PLACES = (
    ("BOOT0", 1, 8),
    ("BOOT1", 9, 8),
    ("ROOT_A", 17, 2),
    ("ROOT_B", 19, 2),
    ("STATE", 21, 8),
    ("DATA", 29, 32),
)
BEGINS = {name: begin * MIB for name, begin, _ in PLACES}
PAYLOAD = BEGINS["DATA"] + 16 * MIB
_DISK_MIB = 62
_FILE_SYSTEM_MIB = 16
# Programs that a small disk is made and examined with, and their packages.
_NEEDED = {
    "sfdisk": "fdisk",
    "mformat": "mtools",
    "mke2fs": "e2fsprogs",
    "cryptsetup": "cryptsetup-bin",
    "veritysetup": "cryptsetup-bin",
}

Logged = tuple[int, int, int, bytes]
"""First sector, how many, flags, bytes."""


def written(begin: int, content: bytes, flags: int = 0) -> Logged:
    """A write at a place in bytes."""
    return begin // SECTOR, len(content) // SECTOR, flags, content


def discarded(begin: int, length: int) -> Logged:
    """A place given up."""
    return begin // SECTOR, length // SECTOR, DISCARD, b""


FLUSHED: Logged = (0, 0, FLUSH, b"")


def write_log(path: Path, entries: Sequence[Logged]) -> Path:
    """Write a log as blklogwrites does."""
    magic, version = 0x6A736677736872, 1
    sectors = [struct.pack("<QQQI", magic, version, len(entries), SECTOR)]
    for begin, count, flags, content in entries:
        sectors.append(struct.pack("<QQQQ", begin, count, flags, 0))
        sectors[-1] = sectors[-1].ljust(SECTOR, b"\0") + content
    path.write_bytes(b"".join(one.ljust(SECTOR, b"\0") for one in sectors))
    return path


def missing_packages() -> str:
    """Return what to install before a small disk can be made; empty when nothing."""
    return " ".join(
        sorted({package for tool, package in _NEEDED.items() if not shutil.which(tool)})
    )


def environment(kernel: str, revision: int, state: int = 0) -> bytes:
    """Return an EFI Boot Guard environment."""
    name = kernel.encode("utf-16-le").ljust(510, b"\0")
    content = name + bytes(510) + struct.pack("<BBHI", 0, state, 120, revision)
    content += bytes(131072)
    return content + struct.pack("<I", zlib.crc32(content))


def journal_in(
    folder: Path, entries: Sequence[Sequence[Fact]], epoch: str = "e1"
) -> Path:
    """Write a lane's journal with these facts, an entry each."""
    folder.mkdir(parents=True)
    path = folder / "journal-000000000001.db"
    with Journal.create(path, lane_id="lane-1", epoch=epoch, key=LANE_KEY) as journal:
        for number, facts in enumerate(entries, 1):
            journal.append(
                "HelpPressed",
                bodies.encode(HelpPressed(), tuple(facts)),
                at_ms=1_790_000_000_000 + number,
                mono_ms=number,
                boot_id="3f6c1f0e9d2b4a55",
                sign=True,
            )
    return path


def sales(count: int) -> list[tuple[Fact, ...]]:
    """Return the facts of some sales, one after the other."""
    return [(SaleMade(sale_of(number, 1190)),) for number in range(1, count + 1)]


def encrypted(content: bytes, cipher: Xts, first: int = 0) -> bytes:
    """Encrypt bytes that begin at a place as dm-crypt would; holes stay holes."""
    made = []
    for at in range(0, len(content), cipher.sector):
        plain = content[at : at + cipher.sector]
        if any(plain):
            tweak = ((first + at) // 512).to_bytes(16, "little")
            mode = modes.XTS(tweak)
            plain = Cipher(algorithms.AES(cipher.key), mode).encryptor().update(plain)
        made.append(plain)
    return b"".join(made)


@dataclass
class SmallDisk:
    """A disk in a file, and what belongs to it."""

    path: Path
    kernel: bytes
    escrow_key: bytes
    cipher: Xts
    file_system: bytes

    @property
    def signed(self) -> set[str]:
        """The hashes of the kernels that were signed."""
        return {hashlib.sha256(self.kernel).hexdigest()}

    def changed(self, folder: Path, journal: Path) -> list[Logged]:
        """Return the writes that put a journal into DATA in place of the one there."""
        image = folder / "changed.ext4"
        image.write_bytes(self.file_system)
        place = "/lib/stillopen/journal/journal-000000000001.db"
        for request in (f"rm {place}", f"write {journal} {place}"):
            _run("debugfs", "-w", "-R", request, str(image))
        _run("e2fsck", "-f", "-n", str(image))
        return self.writes_of(image.read_bytes())

    def writes_of(self, file_system: bytes) -> list[Logged]:
        """Return the writes that make DATA this file system, 4 KiB each."""
        writes = []
        for at in range(0, len(file_system), 4096):
            block = file_system[at : at + 4096]
            if block != self.file_system[at : at + 4096]:
                content = encrypted(block, self.cipher, at)
                writes.append(written(PAYLOAD + at, content))
        return writes


def small_disk(folder: Path, entries: Sequence[Sequence[Fact]]) -> SmallDisk:
    """Make a disk whose lane has written these entries."""
    disk = folder / "small.raw"
    with disk.open("wb") as file:
        file.truncate(_DISK_MIB * MIB)
    table = "label: gpt\n" + "".join(
        f"start={begin * 2048}, size={size * 2048}, name={name}\n"
        for name, begin, size in PLACES
    )
    _run("sfdisk", "-q", str(disk), told=table)
    root, root_hash = _root(folder)
    kernel = b"MZ stillopen.roothash=%b stillopen.hashoffset=1048576" % root_hash
    for number, name in enumerate(("BOOT0", "BOOT1")):
        place = f"{disk}@@{BEGINS[name]}"
        _run("mformat", "-i", place, "-T", str(8 * 2048), "-v", name, "::")
        put(disk, name, "BGENV.DAT", environment(f"C:{name}:k.efi", 1 - number))
    put(disk, "BOOT0", "k.efi", kernel)
    owner = rsa.generate_private_key(65537, 2048)
    public = owner.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    state = folder / "state"
    state.mkdir()
    (state / "recovery-key.escrow").write_text(sealed(RECOVERY_KEY, public))
    data = folder / "data"
    journal_in(data / "lib/stillopen/journal", entries)
    header, cipher = _luks(folder)
    file_system = _ext4(folder / "data.ext4", data, _FILE_SYSTEM_MIB)
    with disk.open("r+b") as file:
        for begin, content in (
            (BEGINS["ROOT_A"], root),
            (BEGINS["STATE"], _ext4(folder / "state.ext4", state, 8)),
            (BEGINS["DATA"], header),
            (PAYLOAD, encrypted(file_system, cipher)),
        ):
            file.seek(begin)
            file.write(content)
    escrow_key = owner.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return SmallDisk(disk, kernel, escrow_key, cipher, file_system)


def put(disk: Path, boot: str, name: str, content: bytes) -> None:
    """Put a file into a BOOT partition."""
    aside = disk.with_name(name)
    aside.write_bytes(content)
    place = f"{disk}@@{BEGINS[boot]}"
    _run("mcopy", "-o", "-i", place, str(aside), f"::/{name}")


def _root(folder: Path) -> tuple[bytes, bytes]:
    image = folder / "root.img"
    image.write_bytes(bytes(range(256)) * 4096)
    told = _run(
        *("veritysetup", "format", str(image), str(image)),
        *(f"--hash-offset={MIB}", "--data-blocks=256", f"--salt={'ab' * 32}"),
    )
    (line,) = (line for line in told.splitlines() if line.startswith("Root hash"))
    return image.read_bytes(), line.split()[-1].encode()


def _luks(folder: Path) -> tuple[bytes, Xts]:
    header, key = folder / "header.luks", folder / "recovery.key"
    with header.open("wb") as file:
        file.truncate(20 * MIB)
    key.write_text(RECOVERY_KEY)
    _run(
        *("cryptsetup", "luksFormat", "-q", "--type", "luks2", "--pbkdf", "pbkdf2"),
        *("--pbkdf-force-iterations", "1000", "--cipher", "aes-xts-plain64"),
        *("--key-size", "512", "--sector-size", "512", "--key-file", str(key)),
        str(header),
    )
    return header.read_bytes()[: 16 * MIB], open_luks(header, RECOVERY_KEY).cipher


def _ext4(image: Path, content: Path, mib: int) -> bytes:
    options = ["-q", "-t", "ext4", "-b", "4096", "-d", str(content)]
    _run("mke2fs", *options, str(image), f"{mib}M")
    return image.read_bytes()


def _run(*command: str, told: str | None = None) -> str:
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, input=told
    )
    return done.stdout
