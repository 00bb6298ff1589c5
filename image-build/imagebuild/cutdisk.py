"""A disk whose power was cut, examined offline: slots, file systems, the journal.

Each file system is examined on a copy: e2fsck lets its journal be replayed and its
orphans removed, as the kernel does at the next mount, and then must find nothing at all.
The lane's journal is checked by the project's own verification. Neither a device mapper
nor a mount is needed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

import apsw

from imagebuild.blocklog import BlockLog, Cut, Disk, Range, copy_sparse
from imagebuild.bootslots import BootSlots
from imagebuild.promises import DATA, JOURNAL, SLOT, STATE, Finding, Journal
from imagebuild.volumes import (
    Opened,
    Region,
    Remembered,
    Volume,
    VolumeError,
    open_luks,
    partitions,
)
from kiosk.domain import body as bodies
from kiosk.domain.effects import SaleMade
from kiosk.escrow import EscrowError, opened
from kiosk.records.rotation import JournalShelf, first_seq_of, journal_files
from kiosk.records.verify import verify_all

JOURNAL_FOLDER = "/lib/stillopen/journal"
ESCROW = "/recovery-key.escrow"
_TABLE_BYTES = 1 << 20
_BATCH = 1000
_LISTED = r"Orphan file \(inode \d+\) block \d+ is not clean"
# And where orphans are listed, which is also what the one mark says.
_FREED = re.compile(
    rf"{_LISTED}|^CLEARED\.$|primary superblock features different from backup"
    r"|Feature orphan_present is set but orphan file is clean"
    r"|: \d+/\d+ files \("
)
# The superblock's `s_feature_incompat`, and its mark that the journal must be replayed: it
# stands while a file system is mounted (kernel: filesystems/ext4/super.rst).
_FEATURES_AT, _RECOVER = 1024 + 0x60, 0x4
_ANYTHING = re.compile("")
# What e2fsck may say before it must find nothing: what the kernel does when it mounts.
_AS_A_MOUNT = re.compile(
    r"recovering journal|: clean, \d+/\d+ files|[Cc]learing orphaned inode"
    r"|[Tt]runcating orphaned inode|^e2fsck |^$"
)


class CutDisk:
    """The disk of a log, brought from cut to cut, and what an examination finds.

    `folder` takes a copy of the disk and the plain content of STATE and DATA. Raises
    `VolumeError` when the disk cannot be opened as it was before the log.
    """

    def __init__(
        self,
        log: BlockLog,
        base: Path,
        folder: Path,
        escrow_key: bytes,
        signed: Collection[str],
    ) -> None:
        self._folder = folder
        self._escrow_key = escrow_key
        self.path = folder / "disk"
        copy_sparse(base, self.path)
        self._disk = Disk(self.path, log)
        # Of the journal that was found last: digests by number.
        self.digests: dict[int, str] = {}
        regions = partitions(self.path)
        wanted = ("BOOT0", "BOOT1", "ROOT_A", "ROOT_B", "STATE", "DATA")
        if missing := [name for name in wanted if name not in regions]:
            raise VolumeError(
                f"{base} has no {' and no '.join(missing)}: begin the log after the"
                " machine's first start"
            )
        self._table = Region("the partition table", 0, _TABLE_BYTES)
        self._state = Volume(self.path, regions["STATE"], folder / "STATE")
        self._key = self._recovery_key()
        header = self._open(regions["DATA"])
        self._data = Volume(self.path, regions["DATA"], folder / "DATA", header)
        payload = self._data.payload
        data = regions["DATA"]
        self._header = Region("DATA's header", data.begin, payload.begin - data.begin)
        self._known = (regions, header)
        self._regions = [self._table, self._header, payload, *regions.values()]
        self._slots = BootSlots(self.path, regions, signed)
        self._state_problem = Remembered([regions["STATE"]], self._examine_state)
        self._data_found = Remembered([payload], self._examine_data)
        self._opens = Remembered(
            [self._table, self._header, regions["STATE"]], self._open_problem
        )

    def close(self) -> None:
        """Let go of every file."""
        self._disk.close()
        self._state.close()
        self._data.close()

    def find(self, cut: Cut) -> Finding:
        """Go to a cut, examine what it left, and go back to its boundary.

        Cuts come in the order of their boundaries.
        """
        self._go(cut.boundary)
        touched = self._disk.cut(cut)
        self._take_over(touched)
        for region in self._regions:
            region.is_cut = bool(region.touched(touched))
        try:
            return self._finding(cut)
        finally:
            self._disk.put_back()
            self._take_over(touched)
            for region in self._regions:
                region.is_cut = False

    def keep(self, cut: Cut, target: Path) -> None:
        """Write the disk as a cut left it, for a closer look."""
        self._go(cut.boundary)
        self._disk.cut(cut)
        copy_sparse(self.path, target)
        self._disk.put_back()

    def _go(self, boundary: int) -> None:
        touched = self._disk.advance(boundary)
        for region in self._regions:
            region.generation += bool(region.touched(touched))
        self._take_over(touched)

    def _take_over(self, touched: Iterable[Range]) -> None:
        self._state.refresh(touched)
        self._data.refresh(touched)

    def _finding(self, cut: Cut) -> Finding:
        finding = Finding(cut)
        if problem := self._slots.problem():
            finding.broken[SLOT] = problem
        if problem := self._state_problem.get():
            finding.broken[STATE] = problem
        if problem := self._opens.get():
            finding.broken[DATA] = problem
            return finding
        problem, damage, finding.journal, self.digests = self._data_found.get()
        if problem:
            finding.broken[DATA] = problem
        if damage:
            finding.broken[JOURNAL] = damage
        return finding

    # -- opening -----------------------------------------------------------

    def _recovery_key(self) -> str:
        copy = self._replayed(self._state)
        try:
            return opened(_text_in(copy, ESCROW), self._escrow_key)
        except EscrowError as error:
            raise VolumeError(f"STATE's recovery-key.escrow: {error}") from error

    def _open(self, data: Region) -> Opened:
        header = self._folder / "DATA.header"
        with self.path.open("rb") as disk:
            disk.seek(data.begin)
            header.write_bytes(disk.read(16 << 20))
        return open_luks(header, self._key)

    def _open_problem(self) -> str:
        """Say whether the table still stands and the owner's key still opens DATA."""
        regions, header = self._known
        try:
            places = {name: (r.begin, r.length) for name, r in regions.items()}
            found = partitions(self.path)
            if {name: (r.begin, r.length) for name, r in found.items()} != places:
                return "the partition table is another"
            self._key = self._recovery_key()
            if self._open(regions["DATA"]) != header:
                return "DATA was made anew"
        except VolumeError as error:
            return str(error)
        return ""

    # -- file systems ------------------------------------------------------

    def _replayed(self, volume: Volume) -> Path:
        copy = volume.plain.with_suffix(".mounted")
        copy_sparse(volume.plain, copy)
        subprocess.run(["e2fsck", "-p", str(copy)], capture_output=True)
        return copy

    def _examine_state(self) -> str:
        return ext4_problem(self._state.plain, self._state.plain.with_suffix(".copy"))

    def _examine_data(self) -> tuple[str, str, Journal | None, dict[int, str]]:
        copy = self._data.plain.with_suffix(".copy")
        problem = ext4_problem(self._data.plain, copy)
        out = self._folder / "journal"
        shutil.rmtree(out, ignore_errors=True)
        # What it cannot read is missed by the verification.
        request = ["debugfs", "-R", f"rdump {JOURNAL_FOLDER} .", str(copy)]
        subprocess.run(request, capture_output=True, cwd=self._folder)
        try:
            journal, digests = read_journal(out)
        except (OSError, ValueError, apsw.Error) as error:
            return problem, str(error), None, {}
        return problem, "", journal, digests


def ext4_problem(plain: Path, copy: Path) -> str:
    """Say what a start would leave wrong in a file system; writes and changes the copy.

    Where it was mounted, that is what a mount leaves. Where it was not, the check that
    each start makes first (`fstab`) was at work or had nothing to do: cut off, it is made
    again, and may mend what it left half mended.

    Where orphans are listed, e2fsck frees them as a mount does, and counts free blocks
    anew without a word: what it mends so is not seen in those.
    """
    copy_sparse(plain, copy)
    if not _was_mounted(plain):
        return _unmended(copy, ["e2fsck", "-p"], freed=_ANYTHING)
    # The mark "orphans may be listed" stands in the first superblock only, and e2fsck
    # takes that for a reason to check, and silently mend, all: the mark goes first.
    problem = _unmended(
        copy,
        ["e2fsck", "-p", "-E", "journal_only"],
        ["debugfs", "-w", "-R", "feature -orphan_present"],
        ["e2fsck", "-p"],
    )
    if re.search(_LISTED, problem):
        # In one step: after "journal_only" its list is read a second time.
        copy_sparse(plain, copy)
        problem = _unmended(copy, ["e2fsck", "-p"], freed=_FREED)
    return problem


def _was_mounted(plain: Path) -> bool:
    with plain.open("rb") as file:
        file.seek(_FEATURES_AT)
        return bool(int.from_bytes(file.read(4), "little") & _RECOVER)


def _unmended(
    copy: Path, *steps: list[str], freed: re.Pattern[str] = _AS_A_MOUNT
) -> str:
    for step in steps:
        code, said = _run([*step, str(copy)])
        words = [
            line
            for line in said
            if not (_AS_A_MOUNT.search(line) or freed.search(line))
        ]
        if step[0] == "e2fsck" and (code > 1 or words):
            return f"more than a mount repairs: {'; '.join(words)[:400]}"
    code, said = _run(["e2fsck", "-f", "-n", str(copy)])
    if code:
        words = [line for line in said if line and not line.startswith("Pass ")]
        return "; ".join(words)[:400]
    return ""


def _run(command: list[str]) -> tuple[int, list[str]]:
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def _text_in(image: Path, place: str) -> str:
    """Return a small text file of a file system; empty when it is not there."""
    done = subprocess.run(
        ["debugfs", "-R", f"cat {place}", str(image)], capture_output=True
    )
    return done.stdout.decode(errors="replace")


def read_journal(folder: Path) -> tuple[Journal, dict[int, str]]:
    """Verify a lane's journal and count what it holds; also its digests by number.

    Raises `ValueError` in the verification's words when it is bad.
    """
    files = journal_files(folder) if folder.is_dir() else []
    if not files:
        return Journal(), {}
    for path, verdict in zip(files, verify_all(files)):
        if not verdict.ok:
            raise ValueError(f"{path.name}: {verdict.problem}")
    shelf = JournalShelf(folder)
    try:
        whose = f"{shelf.lane_id}/{shelf.newest().epoch}"
        digests: dict[int, str] = {}
        sales, seq = 0, first_seq_of(files[0]) - 1
        while batch := shelf.after(seq, _BATCH):
            for entry in batch:
                digests[entry.seq] = entry.digest
                said = bodies.decode(entry.body)
                if said is None:
                    raise ValueError(f"entry {entry.seq} cannot be read")
                if not entry.training:
                    sales += sum(isinstance(fact, SaleMade) for fact in said.facts)
            seq = batch[-1].seq
    finally:
        shelf.close()
    return Journal(whose, seq, digests.get(seq, ""), sales), digests
