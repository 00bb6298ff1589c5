"""What the firmware's loader would find on a disk: two environments, kernels, roots.

EFI Boot Guard's environments as version 0.19 lays them out (`include/envdata.h`). A slot
is good when its environment's CRC holds, its kernel is one that was signed, byte for
byte, and a root partition has the content that this kernel asks for by its root hash.
Reads only.
"""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from imagebuild.volumes import Region, Remembered

# kernelfile and kernelparams (255 of UTF-16 each), in_progress, ustate, watchdog,
# revision, user variables, CRC32 of all before it.
_ENVIRONMENT = struct.Struct("<510s510sBBHI131072sI")
ENVIRONMENT_BYTES = _ENVIRONMENT.size
INSTALLED, TESTING = 1, 2
_KERNEL = re.compile(r"C:(BOOT[01]):([^/\\:]+)")
_ROOT_HASH = re.compile(rb"stillopen\.roothash=([0-9a-f]{64})")
_HASH_OFFSET = re.compile(rb"stillopen\.hashoffset=([0-9]+)")
# The superblock of a dm-verity hash tree, version 1.
_VERITY = struct.Struct("<8sII16s32sIIQH6x256s")
_CHUNK = 1 << 20
_Read = Callable[[int, int], bytes]


class SlotError(Exception):
    """A slot does not start. The words say why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What one BOOT partition tells the loader."""

    kernel: str
    state: int
    revision: int
    watchdog_seconds: int
    in_progress: bool

    @property
    def is_on_trial(self) -> bool:
        """Whether the loader takes the other slot when this one fails."""
        return self.state in (INSTALLED, TESTING)


def parse_environment(content: bytes) -> Environment:
    """Read a BGENV.DAT. Raises `SlotError`."""
    if len(content) != ENVIRONMENT_BYTES:
        raise SlotError(f"the environment has {len(content)} bytes")
    kernel, _, progress, state, watchdog, revision, _, crc = _ENVIRONMENT.unpack(
        content
    )
    if zlib.crc32(content[:-4]) != crc:
        raise SlotError("the environment's CRC does not hold")
    name = kernel.decode("utf-16-le", errors="replace").partition("\0")[0]
    return Environment(name, state, revision, watchdog, bool(progress))


def verity_problem(read: _Read, root_hash: str, offset: int) -> str:
    """Say what is wrong with a root and its hash tree; empty when all of it is right.

    `read` gives bytes at a place, `offset` is where the tree begins.
    """
    fields = _VERITY.unpack(read(offset, _VERITY.size))
    magic, version, kind, _, algorithm, data, block, count, salted, salt = fields
    if magic != b"verity\0\0" or (version, kind) != (1, 1):
        return "there is no hash tree"
    if algorithm.rstrip(b"\0") != b"sha256" or (data, block) != (4096, 4096):
        return "its hash tree is of another kind"
    salt = salt[:salted]
    if count * block > offset:
        return "its hash tree counts more blocks than there are"
    levels = [_hashed(salt, _blocks(read, count * block))]
    while len(levels[-1]) > block:
        level = levels[-1]
        levels.append(_hashed(salt, _blocks(_of(level), len(level))))
    at = offset + block
    for level in reversed(levels):
        if read(at, len(level)) != level:
            return "its content and its hash tree differ"
        at += len(level)
    if hashlib.sha256(salt + levels[-1]).hexdigest() != root_hash:
        return "its root hash is another"
    return ""


def _of(content: bytes) -> _Read:
    return lambda at, length: content[at : at + length]


def _blocks(read: _Read, end: int) -> Iterator[bytes]:
    for at in range(0, end, _CHUNK):
        chunk = read(at, min(_CHUNK, end - at))
        for begin in range(0, len(chunk), 4096):
            yield chunk[begin : begin + 4096]


def _hashed(salt: bytes, blocks: Iterable[bytes]) -> bytes:
    salted = hashlib.sha256(salt)
    digests = bytearray()
    for block in blocks:
        digest = salted.copy()
        digest.update(block)
        digests += digest.digest()
    return bytes(digests) + bytes(-len(digests) % 4096)


class _Wanted(NamedTuple):
    """What a kernel asks of a root partition."""

    root_hash: str
    offset: int


class BootSlots:
    """The two slots of a disk in a file, examined anew only where something changed.

    `signed` are the SHA-256 of the kernels that a key of ours signed.
    """

    def __init__(
        self, disk: Path, regions: Mapping[str, Region], signed: Collection[str]
    ) -> None:
        self._disk = disk
        self._signed = signed
        self._boots = {name: regions[name] for name in ("BOOT0", "BOOT1")}
        self._roots = [regions[name] for name in ("ROOT_A", "ROOT_B")]
        self._environments = {
            name: Remembered([region], partial(self._environment, region))
            for name, region in self._boots.items()
        }
        self._kernels: dict[str, Remembered[_Wanted | str]] = {}
        self._matches: dict[tuple[str, _Wanted], Remembered[str]] = {}

    def problem(self) -> str:
        """Say why the kiosk might not start; empty when it would.

        The loader takes the environment of the highest revision, and the other one
        only when that one is on trial or not valid.
        """
        found: dict[str, Environment] = {}
        reasons: list[str] = []
        for name, environment in self._environments.items():
            match environment.get():
                case Environment(in_progress=False) as valid:
                    found[name] = valid
                case Environment():
                    reasons.append(f"{name}: its environment is being written")
                case reason:
                    reasons.append(f"{name}: {reason}")
        for name in sorted(found, key=lambda one: -found[one].revision):
            reason = self._slot_problem(found[name])
            if not reason:
                return ""
            reasons.append(f"{name}: {reason}")
            if not found[name].is_on_trial:
                break
        return "; ".join(reasons)

    def _environment(self, region: Region) -> Environment | str:
        try:
            return parse_environment(self._file(region, "BGENV.DAT"))
        except SlotError as error:
            return str(error)

    def _slot_problem(self, environment: Environment) -> str:
        named = _KERNEL.fullmatch(environment.kernel)
        if named is None:
            return f"its kernel is named {environment.kernel!r}"
        boot, file = named.groups()
        if environment.kernel not in self._kernels:
            self._kernels[environment.kernel] = Remembered(
                [self._boots[boot]], partial(self._wanted, self._boots[boot], file)
            )
        wanted = self._kernels[environment.kernel].get()
        if isinstance(wanted, str):
            return wanted
        reasons = []
        for root in self._roots:
            key = (root.name, wanted)
            if key not in self._matches:
                check = partial(self._root_problem, root, wanted)
                self._matches[key] = Remembered([root], check)
            reason = self._matches[key].get()
            if not reason:
                return ""
            reasons.append(f"{root.name}: {reason}")
        return f"no root fits its kernel ({', '.join(reasons)})"

    def _wanted(self, boot: Region, name: str) -> _Wanted | str:
        """Return what the kernel there needs, or what is wrong with it."""
        try:
            kernel = self._file(boot, name)
        except SlotError as error:
            return str(error)
        if hashlib.sha256(kernel).hexdigest() not in self._signed:
            return "its kernel is not one that was signed"
        root_hash, offset = _ROOT_HASH.search(kernel), _HASH_OFFSET.search(kernel)
        if root_hash is None or offset is None:
            return "its kernel names no root"
        return _Wanted(root_hash[1].decode(), int(offset[1]))

    def _root_problem(self, root: Region, wanted: _Wanted) -> str:
        with self._disk.open("rb") as file:

            def read(at: int, length: int) -> bytes:
                file.seek(root.begin + at)
                return file.read(length)

            return verity_problem(read, *wanted)

    def _file(self, boot: Region, name: str) -> bytes:
        place = f"{self._disk}@@{boot.begin}"
        done = subprocess.run(
            ["mcopy", "-n", "-i", place, f"::/{name}", "-"], capture_output=True
        )
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise SlotError(f"{name} cannot be read ({' '.join(words[-1:])})")
        return done.stdout
