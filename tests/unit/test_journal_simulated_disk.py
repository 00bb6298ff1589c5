"""The journal on a simulated disk: power cuts and failed flushes at every step.

The disk keeps apart what was written and what was flushed. A cut keeps what was
flushed and, of what was not, each write or none, as the seed says.
"""

import random
from pathlib import Path

import apsw
import pytest

from kiosk.records.journal import Journal, JournalFailed
from kiosk.records.keys import LaneKey
from kiosk.records.rotation import JournalDirectory, JournalShelf, prepare_next, rotate

KEY = LaneKey.from_seed(bytes(range(32)))
FOLDER = Path("/disk")
PATH = FOLDER / "journal-000000000001.db"


class PowerCut(Exception):
    """The machine is gone; nothing after this reached the disk."""


class SimulatedFile:
    """One file's bytes: as flushed, and the writes since."""

    def __init__(self):
        self.flushed = b""
        self.seen = bytearray()
        self.pending = []

    def write(self, offset, data):
        if len(self.seen) < offset:
            self.seen.extend(bytes(offset - len(self.seen)))
        self.seen[offset : offset + len(data)] = data
        self.pending.append((offset, bytes(data)))

    def truncate(self, size):
        del self.seen[size:]
        self.pending.append((size, None))

    def flush(self):
        self.flushed = self._kept(lambda: True)
        self.pending.clear()

    def cut(self, seeded):
        self.flushed = self._kept(lambda: seeded.random() < 0.5)
        self.seen, self.pending = bytearray(self.flushed), []

    def _kept(self, keeps):
        """Return the flushed bytes with those pending writes that `keeps` admits."""
        content = bytearray(self.flushed)
        for offset, data in self.pending:
            if not keeps():
                continue
            if data is None:
                del content[offset:]
            else:
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data
        return bytes(content)


class SimulatedDisk(apsw.VFS):
    """A disk in memory that SQLite can use, and the names in its one folder."""

    def __init__(self, name):
        self.files = {}
        self.steps = None
        self.failing = None
        self.flushes = 0
        self.is_off = False
        self.renames = []
        super().__init__(name, "")

    def step(self):
        """Say whether a thing is done to the disk; the planned cut comes before it."""
        if self.steps is not None and not self.is_off:
            if self.steps == 0:
                raise PowerCut
            self.steps -= 1
        return not self.is_off

    def power_on(self, seeded, *journals):
        """Come back after a cut with what the disk kept; old handles are gone."""
        self.is_off = True
        for journal in journals:
            journal.close()
        self.is_off = False
        self.steps = None
        if seeded.random() < 0.5:
            # Names that were not flushed may be the old ones again.
            for old, new in reversed(self.renames):
                if new in self.files:
                    self.files[old] = self.files.pop(new)
        self.renames.clear()
        for file in self.files.values():
            file.cut(seeded)

    # What SQLite asks of a disk.

    def xOpen(self, name, flags):
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        if path not in self.files:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(path)
            self.step()
            self.files[path] = SimulatedFile()
        flags[1] = flags[0]
        return OpenFile(self, self.files[path])

    def xDelete(self, name, sync):
        if self.step():
            self.files.pop(name, None)

    def xAccess(self, name, flags):
        return name in self.files

    def xFullPathname(self, name):
        return name

    # What `rotation.Folder` asks of it.

    def names(self):
        return [Path(path).name for path in self.files]

    def rename(self, old, new):
        self.step()
        old, new = str(FOLDER / old), str(FOLDER / new)
        self.files[new] = self.files.pop(old)
        self.renames.append((old, new))

    def remove(self, name):
        self.step()
        self.files.pop(str(FOLDER / name), None)

    def sync(self):
        self.step()
        self.renames.clear()


class OpenFile:
    """A file as SQLite holds it open."""

    def __init__(self, disk, file):
        self._disk = disk
        self._file = file

    def xRead(self, amount, offset):
        return bytes(self._file.seen[offset : offset + amount])

    def xWrite(self, data, offset):
        if self._disk.failing == "full":
            raise apsw.FullError("no room")
        if self._disk.step():
            self._file.write(offset, data)

    def xTruncate(self, size):
        if self._disk.step():
            self._file.truncate(size)

    def xSync(self, flags):
        self._disk.flushes += 1
        if self._disk.failing == "flush":
            raise apsw.IOError("flush failed")
        if self._disk.step():
            self._file.flush()

    def xFileSize(self):
        return len(self._file.seen)

    def xLock(self, level):
        pass

    def xUnlock(self, level):
        pass

    def xCheckReservedLock(self):
        return False

    def xFileControl(self, op, pointer):
        return False

    def xSectorSize(self):
        return 4096

    def xDeviceCharacteristics(self):
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self):
        pass


@pytest.fixture
def disk():
    disk = SimulatedDisk("simulated-disk")
    yield disk
    disk.unregister()


def begin(disk):
    return Journal.create(
        PATH, lane_id="lane-1", epoch="e1", key=KEY, vfs="simulated-disk"
    )


def write(journal, count, *, sign=False):
    return [
        journal.append("X", b'{"n":1}', at_ms=1, mono_ms=1, boot_id="b", sign=sign).seq
        for _ in range(count)
    ]


def test_an_append_costs_one_flush_signed_or_not(disk):
    journal = begin(disk)
    write(journal, 3)
    for sign in (False, True):
        before = disk.flushes
        write(journal, 10, sign=sign)
        assert disk.flushes - before == 10


def test_the_real_journal_lives_on_a_simulated_disk_alone(disk):
    journal = begin(disk)
    write(journal, 5)
    journal.close()
    assert not PATH.exists()
    with Journal.open(PATH, KEY, "simulated-disk") as journal:
        assert journal.head.seq == 5


@pytest.mark.parametrize("seed", range(40))
def test_no_cut_loses_an_entry_that_append_returned(disk, seed):
    seeded = random.Random(seed)
    journal = begin(disk)
    held = 0
    for _ in range(6):
        disk.steps = seeded.randrange(40)
        try:
            while True:
                held = write(journal, 1, sign=seeded.random() < 0.3)[-1]
                if seeded.random() < 0.1:
                    journal.checkpoint()
        except PowerCut:
            pass
        with pytest.raises(JournalFailed, match="open it anew"):
            write(journal, 1)
        disk.power_on(seeded, journal)
        journal = Journal.open(PATH, KEY, "simulated-disk")
        # The one in hand when the power went may be there or not.
        assert journal.head.seq in (held, held + 1)
        held = journal.head.seq
        assert [entry.seq for entry in journal.entries()] == list(range(1, held + 1))


def test_a_disk_that_forgets_flushes_is_caught_by_these_tests(disk, monkeypatch):
    # The control: with a disk that lies about flushing, entries are lost.
    monkeypatch.setattr(SimulatedFile, "flush", lambda self: None)
    lost = 0
    for seed in range(20):
        disk.files.clear()
        journal = begin(disk)
        written = write(journal, 8)[-1]
        disk.power_on(random.Random(seed), journal)
        try:
            with Journal.open(PATH, KEY, "simulated-disk") as journal:
                lost += journal.head.seq < written
        except OSError:
            lost += 1
    assert lost > 15


def test_a_failed_flush_kills_the_handle_and_is_never_tried_again(disk):
    journal = begin(disk)
    write(journal, 3)
    disk.failing = "flush"
    with pytest.raises(JournalFailed, match="the disk refused a write"):
        write(journal, 1)
    # The disk seems well again; the handle stays dead, and closing writes nothing.
    disk.failing = None
    flushes = disk.flushes
    for _ in range(3):
        with pytest.raises(JournalFailed, match="open it anew"):
            write(journal, 1)
    journal.close()
    assert disk.flushes == flushes
    with Journal.open(PATH, KEY, "simulated-disk") as journal:
        assert journal.head.seq in (3, 4)
        write(journal, 1)


def test_what_is_read_after_a_failed_flush_is_put_on_disk_before_it_is_built_on(disk):
    # The kernel forgets that a page it could not flush is dirty: it can be read, and
    # is not on the disk. Opening must not trust it as it is.
    journal = begin(disk)
    write(journal, 3)
    disk.failing = "flush"
    with pytest.raises(JournalFailed):
        write(journal, 1)
    journal.close()
    disk.failing = None
    for file in disk.files.values():
        file.pending.clear()
    journal = Journal.open(PATH, KEY, "simulated-disk")
    held = write(journal, 2)[-1]
    disk.power_on(random.Random(1), journal)
    with Journal.open(PATH, KEY, "simulated-disk") as journal:
        assert journal.head.seq == held


def test_a_full_disk_is_named_and_loses_nothing(disk):
    journal = begin(disk)
    write(journal, 3)
    disk.failing = "full"
    with pytest.raises(JournalFailed, match="the disk is full"):
        write(journal, 1)
    disk.failing = None
    with Journal.open(PATH, KEY, "simulated-disk") as journal:
        assert journal.head.seq == 3


def held_on(disk):
    """Return every number on the disk, in order, as sync would read them."""
    shelf = JournalShelf(FOLDER, vfs="simulated-disk", folder=disk)
    seen: list[int] = []
    while entries := shelf.after(len(seen), 99):
        seen += [entry.seq for entry in entries]
    shelf.close()
    return seen


def test_a_power_cut_at_every_step_of_a_rotation_keeps_one_journal(disk):
    directory = JournalDirectory(FOLDER, vfs="simulated-disk", folder=disk)
    steps, finished, heads = 0, False, []
    while not finished:
        for seed in range(4):
            seeded = random.Random(f"{steps} {seed}")
            disk.files.clear()
            journal = directory.begin(lane_id="lane-1", epoch="e1", key=KEY)
            write(journal, 3)
            disk.steps, held = steps, 3
            try:
                following = rotate(
                    journal,
                    directory,
                    carry_forward=b"{}",
                    at_ms=1,
                    mono_ms=1,
                    boot_id="b",
                )
                disk.steps = None
                held = write(following, 2)[-1]
                finished = True
                disk.power_on(seeded, following)
            except (PowerCut, OSError):
                disk.power_on(seeded, journal)
            # The lane starts, sells, and the power goes once more.
            reopened = directory.open_current(KEY)
            assert reopened is not None
            heads.append(reopened.head.seq)
            assert reopened.head.seq >= held
            sold = write(reopened, 1)[-1]
            disk.power_on(seeded, reopened)
            again = directory.open_current(KEY)
            assert again is not None
            assert again.head.seq == sold
            again.close()
            assert held_on(disk) == list(range(1, sold + 1))
            assert not [name for name in disk.names() if ".new" in name]
        steps += 1
    assert steps > 30
    assert {3, 4, 6} == set(heads)


@pytest.mark.parametrize("seed", range(6))
def test_a_first_file_that_was_begun_is_there_after_a_cut(disk, seed):
    directory = JournalDirectory(FOLDER, vfs="simulated-disk", folder=disk)
    journal = directory.begin(lane_id="lane-1", epoch="e1", key=KEY)
    sold = write(journal, 2)[-1]
    disk.power_on(random.Random(seed), journal)
    reopened = directory.open_current(KEY)
    assert reopened is not None
    assert reopened.head.seq == sold
    reopened.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_rename_that_was_only_seen_is_flushed_before_it_is_built_on(disk, seed):
    # The lane was killed between the rename and its flush, and starts again.
    directory = JournalDirectory(FOLDER, vfs="simulated-disk", folder=disk)
    journal = directory.begin(lane_id="lane-1", epoch="e1", key=KEY)
    write(journal, 3)
    aside = prepare_next(journal, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id="b")
    journal.close()
    disk.rename(aside.name, aside.name.removesuffix(".new"))
    reopened = directory.open_current(KEY)
    assert reopened is not None
    sold = write(reopened, 1)[-1]
    disk.power_on(random.Random(seed), reopened)
    again = directory.open_current(KEY)
    assert again is not None
    assert again.head.seq == sold == 5
    again.close()
