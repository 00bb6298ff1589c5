"""Sync and reports read the journal as another user, in every state it can be in.

The lane and the reader are two accounts that share a group; the folder belongs to
that group (mode 2770) and files are made with umask 007. Each part runs in a process
of its own, because SQLite keeps its locks by process.
"""

import os
import shutil
import tempfile
import traceback
from pathlib import Path

import pytest

from kiosk.records.journal import Journal, JournalReader
from kiosk.records.keys import LaneKey
from kiosk.records.rotation import JournalDirectory, JournalShelf
from kiosk.records.rotation import rotate as rotate_files
from kiosk.records.verify import verify

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user"
)

# Numbers that need no name in /etc/passwd; `nobody` is 65534 everywhere.
LANE_USER = 64_001
READER_USER = 65_534
STRANGER = 64_003
SHARED_GROUP = 64_002

KEY = LaneKey.from_seed(bytes(range(32)))
GO_ON, END = b".", b"!"
NAME = "journal-000000000001.db"


@pytest.fixture
def folder():
    # Not under pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="journal-"))
    os.chown(folder, LANE_USER, SHARED_GROUP)
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(folder)


class Player:
    """A process of another user that does what `play` says, one step at a time."""

    def __init__(self, user, play, group=SHARED_GROUP):
        asked, self._ask = os.pipe()
        self._answer, answered = os.pipe()
        self.process = os.fork()
        if self.process:
            os.close(asked)
            os.close(answered)
            return
        status = 1
        try:
            os.close(self._ask)
            os.close(self._answer)
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            os.umask(0o007)
            for step in play():
                os.write(answered, b"%d\n" % step)
                if os.read(asked, 1) != GO_ON:
                    break
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def next(self):
        """Wait for the next step's number."""
        said = b""
        while not said.endswith(b"\n"):
            more = os.read(self._answer, 1)
            assert more, "the other process ended early"
            said += more
        return int(said)

    def go_on(self):
        os.write(self._ask, GO_ON)

    def kill(self):
        os.kill(self.process, 9)
        self._wait()

    def end(self):
        """Let it end by itself and say how."""
        try:
            os.write(self._ask, END)
        except BrokenPipeError:
            pass  # it has ended already
        return self._wait()

    def _wait(self):
        os.close(self._ask)
        os.close(self._answer)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def run(user, function, group=SHARED_GROUP):
    """Run a function as another user and return the number it returns."""

    def play():
        yield function()

    player = Player(user, play, group)
    number = player.next()
    assert player.end() == 0
    return number


def write(journal, count):
    for _ in range(count):
        journal.append("X", b"{}", at_ms=1, mono_ms=1, boot_id="b", sign=True)


def lane(folder, *, close):
    """A lane that writes three entries, then three more, then ends."""

    def play():
        journal = Journal.create(folder / NAME, lane_id="lane-1", epoch="e1", key=KEY)
        write(journal, 3)
        yield journal.head.seq
        write(journal, 3)
        yield journal.head.seq
        if close:
            journal.close()
        yield 0

    return Player(LANE_USER, play)


def read(folder, name=NAME):
    def reading():
        with JournalReader(folder / name) as reader:
            entries = list(reader.entries())
            assert reader.after(0, 100) == entries
        assert verify(folder / name, KEY.public).end.seq == entries[-1].seq
        return len(entries)

    return run(READER_USER, reading)


def go_on(folder):
    """The lane starts again after whatever happened, and writes one more entry."""

    def writing():
        with Journal.open(folder / NAME, KEY) as journal:
            write(journal, 1)
            return journal.head.seq

    return run(LANE_USER, writing)


def test_the_reader_sees_a_live_journal_grow(folder):
    writer = lane(folder, close=True)
    assert writer.next() == 3
    assert read(folder) == 3
    writer.go_on()
    assert writer.next() == 6
    assert read(folder) == 6
    assert writer.end() == 0


def test_the_reader_that_stays_open_sees_what_the_lane_adds(folder):
    writer = lane(folder, close=True)
    assert writer.next() == 3

    def play():
        with JournalReader(folder / NAME) as reader:
            yield reader.head.seq
            yield reader.head.seq

    reader = Player(READER_USER, play)
    assert reader.next() == 3
    writer.go_on()
    assert writer.next() == 6
    reader.go_on()
    assert reader.next() == 6
    assert (writer.end(), reader.end()) == (0, 0)
    assert go_on(folder) == 7


def test_the_reader_opens_a_journal_that_was_closed_cleanly(folder):
    writer = lane(folder, close=True)
    for step in (3, 6, 0):
        assert writer.next() == step
        writer.go_on()
    assert writer.end() == 0
    assert not (folder / f"{NAME}-wal").exists()
    assert read(folder) == 6
    assert go_on(folder) == 7
    assert read(folder) == 7


@pytest.mark.parametrize("index_lost", [False, True])
def test_the_reader_recovers_what_a_killed_lane_left_in_its_log(folder, index_lost):
    writer = lane(folder, close=False)
    assert writer.next() == 3
    writer.go_on()
    assert writer.next() == 6
    writer.kill()
    log = folder / f"{NAME}-wal"
    assert log.stat().st_size > 0
    if index_lost:
        # As after a power cut: the log is there, its index in shared memory is not.
        (folder / f"{NAME}-shm").unlink()
    before = (folder / NAME).read_bytes(), log.read_bytes()
    assert read(folder) == 6
    # Reading folded nothing in: that is the lane's to do.
    assert ((folder / NAME).read_bytes(), log.read_bytes()) == before
    assert go_on(folder) == 7
    assert read(folder) == 7


def test_the_reader_reads_yesterdays_closed_file_and_follows_to_todays(folder):
    def two_days():
        directory = JournalDirectory(folder)
        journal = directory.begin(lane_id="lane-1", epoch="e1", key=KEY)
        write(journal, 4)
        yield journal.head.seq
        journal = rotate_files(
            journal, directory, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id="b"
        )
        write(journal, 2)
        yield journal.head.seq

    def play():
        shelf = JournalShelf(folder)
        yield len(shelf.after(0, 99))
        yield len(shelf.after(0, 99)) + len(shelf.after(4, 99))
        shelf.close()

    writer = Player(LANE_USER, two_days)
    assert writer.next() == 4
    reader = Player(READER_USER, play)
    assert reader.next() == 4
    writer.go_on()
    assert writer.next() == 7
    reader.go_on()
    assert reader.next() == 7
    assert read(folder) == 4
    assert read(folder, "journal-000000000005.db") == 3
    assert (writer.end(), reader.end()) == (0, 0)
    # After all are gone, and after the reader was the last to hold yesterday's file.
    assert read(folder) == 4
    assert read(folder, "journal-000000000005.db") == 3


def test_the_reader_leaves_files_that_the_lane_can_delete(folder):
    def two_days():
        directory = JournalDirectory(folder)
        journal = directory.begin(lane_id="lane-1", epoch="e1", key=KEY)
        write(journal, 4)
        rotate_files(
            journal, directory, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id="b"
        ).close()
        return 0

    def delete():
        return len(JournalDirectory(folder).delete_closed(4, 1 << 50))

    run(LANE_USER, two_days)
    read(folder)
    assert run(LANE_USER, delete) == 1
    assert not [name for name in os.listdir(folder) if name.startswith(NAME)]


def test_a_user_outside_the_group_cannot_read_the_journal(folder):
    writer = lane(folder, close=True)
    assert writer.next() == 3

    def reading():
        try:
            JournalReader(folder / NAME)
        except OSError:
            return 0
        return 1

    assert run(STRANGER, reading, group=STRANGER) == 0
    assert writer.end() == 0


def test_the_reader_never_checks_the_journal_with_the_lanes_key(folder):
    # The key stays the lane's: mode 600, though the folder is shared.
    run(LANE_USER, lambda: len(LaneKey.create(folder / "lane.key").public))

    def reading():
        try:
            LaneKey.load(folder / "lane.key")
        except OSError:
            return 0
        return 1

    assert run(READER_USER, reading) == 0
