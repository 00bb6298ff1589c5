"""The journal's files: one a trading day, one of them current, whatever happens."""

import shutil

import pytest

from kiosk.records.journal import Journal, JournalFailed, JournalReader
from kiosk.records.keys import LaneKey
from kiosk.records.rotation import (
    CARRIED_FORWARD,
    KEEP_MS,
    JournalDirectory,
    JournalShelf,
    file_name,
    prepare_next,
    put_in_place,
    rotate,
)
from kiosk.records.verify import verify_all

DAY_MS = 24 * 3600 * 1000
BOOT = "3f6c1f0e9d2b4a55"


@pytest.fixture
def key():
    return LaneKey.from_seed(bytes(range(32)))


@pytest.fixture
def directory(tmp_path):
    return JournalDirectory(tmp_path)


@pytest.fixture
def journal(directory, key):
    return directory.begin(lane_id="lane-1", epoch="e1", key=key)


def sell(journal, count):
    for _ in range(count):
        journal.append("Sold", b"{}", at_ms=5, mono_ms=5, boot_id=BOOT)


def close_day(journal, directory, at_ms=DAY_MS, **more):
    return rotate(
        journal,
        directory,
        carry_forward=b'{"suspended":[]}',
        at_ms=at_ms,
        mono_ms=9,
        boot_id=BOOT,
        **more,
    )


def test_a_lane_without_a_journal_has_no_current_file(directory, key):
    assert directory.current() is None
    assert directory.open_current(key) is None


def test_a_lane_begins_its_journal_once(directory, journal, key):
    assert directory.current() == journal.path
    with pytest.raises(FileExistsError, match="the lane has a journal"):
        directory.begin(lane_id="lane-1", epoch="e2", key=key)


def test_the_next_day_goes_on_with_the_next_number_and_the_chain(
    directory, journal, key
):
    sell(journal, 4)
    head = journal.head
    following = close_day(journal, directory)
    assert directory.current() == following.path
    assert following.path.name == file_name(5)
    (first,) = following.after(0, 10)
    assert (first.seq, first.kind) == (5, CARRIED_FORWARD)
    assert first.body == b'{"suspended":[]}'
    sell(following, 2)
    verdicts = verify_all(directory.files(), key.public, following.head)
    assert [verdict.problem for verdict in verdicts] == ["", ""]
    assert [verdict.closed for verdict in verdicts] == [True, False]
    assert verdicts[0].end == head
    assert verdicts[1].proven == 7


def test_a_closed_file_takes_no_entry_any_more(directory, journal, key):
    sell(journal, 2)
    old = journal.path
    close_day(journal, directory).close()
    with pytest.raises(JournalFailed, match="closed: entries go to the next file"):
        Journal.open(old, key)


def test_the_database_refuses_an_entry_after_the_closing_mark(journal):
    sell(journal, 2)
    journal.mark_closed(at_ms=1)
    with pytest.raises(JournalFailed, match="this journal file is closed"):
        sell(journal, 1)


def test_files_are_in_order_by_name_alone(directory, journal):
    for day in range(12):
        sell(journal, 9)
        journal = close_day(journal, directory, at_ms=day)
    names = [path.name for path in directory.files()]
    firsts = []
    for path in directory.files():
        with JournalReader(path) as reader:
            firsts.append(reader.first_seq)
    assert names == sorted(names)
    assert firsts == sorted(firsts)
    assert len(firsts) == 13


def test_a_new_epoch_begins_with_a_new_file(directory, journal, key):
    sell(journal, 2)
    following = close_day(journal, directory, epoch="e2")
    assert following.epoch == "e2"
    assert following.after(0, 1)[0].seq == 3
    assert all(verdict.ok for verdict in verify_all(directory.files(), key.public))


# A cut leaves the folder as it was between two steps. Each test stops there, copies
# what is on disk, as a restart would find it, and goes on in the copy.


def restart(directory, tmp_path, key):
    copy = tmp_path / "after-the-cut"
    shutil.copytree(directory.path, copy, ignore=shutil.ignore_patterns("after*"))
    restarted = JournalDirectory(copy)
    return restarted, restarted.open_current(key)


def test_a_cut_while_the_first_file_is_made_leaves_none(directory, tmp_path, key):
    aside = tmp_path / (file_name(1) + ".new")
    Journal.create(aside, lane_id="lane-1", epoch="e1", key=key)
    restarted, journal = restart(directory, tmp_path, key)
    assert journal is None
    assert restarted.folder.names() == []


@pytest.mark.parametrize("content", [b"", b"half a page", None])
def test_a_cut_while_the_next_file_is_made_leaves_the_old_one(
    directory, journal, tmp_path, key, content
):
    sell(journal, 3)
    if content is None:
        prepare_next(journal, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id=BOOT)
    else:
        (tmp_path / (file_name(4) + ".new")).write_bytes(content)
        (tmp_path / (file_name(4) + ".new-wal")).write_bytes(content)
    restarted, reopened = restart(directory, tmp_path, key)
    assert reopened.path.name == journal.path.name
    assert reopened.head == journal.head
    assert not [name for name in restarted.folder.names() if ".new" in name]
    sell(reopened, 1)
    following = close_day(reopened, restarted)
    assert following.head.seq == 5
    assert all(verdict.ok for verdict in verify_all(restarted.files(), key.public))


def test_a_cut_before_the_old_file_is_marked_leaves_the_new_one(
    directory, journal, tmp_path, key
):
    sell(journal, 3)
    aside = prepare_next(
        journal, carry_forward=b"{}", at_ms=77, mono_ms=1, boot_id=BOOT
    )
    put_in_place(directory, aside)
    restarted, reopened = restart(directory, tmp_path, key)
    assert reopened.path.name == file_name(4)
    assert [entry.kind for entry in reopened.after(0, 9)] == [CARRIED_FORWARD]
    with JournalReader(restarted.files()[0]) as old:
        assert old.closing is not None
        assert (old.closing.seq, old.closing.at_ms) == (3, 77)
    assert all(verdict.ok for verdict in verify_all(restarted.files(), key.public))


def test_a_cut_after_the_last_step_changes_nothing(directory, journal, tmp_path, key):
    sell(journal, 3)
    following = close_day(journal, directory)
    _, reopened = restart(directory, tmp_path, key)
    assert reopened.head == following.head


def test_every_cut_between_names_on_disk_leaves_one_current_file(tmp_path, key):
    # The folder's own steps (rename, remove, sync) fail one after another.
    class Cut(Exception):
        pass

    class CutFolder:
        def __init__(self, folder, steps):
            self._folder = folder
            self._steps = steps

        def _step(self):
            if self._steps == 0:
                raise Cut
            self._steps -= 1

        def names(self):
            return self._folder.names()

        def rename(self, old, new):
            self._step()
            self._folder.rename(old, new)

        def remove(self, name):
            self._step()
            self._folder.remove(name)

        def sync(self):
            self._step()
            self._folder.sync()

    finished = 0
    for steps in range(8):
        path = tmp_path / str(steps)
        path.mkdir()
        whole = JournalDirectory(path)
        journal = whole.begin(lane_id="lane-1", epoch="e1", key=key)
        sell(journal, 3)
        (path / (file_name(99) + ".new")).write_bytes(b"stray")
        cut = JournalDirectory(path, folder=CutFolder(whole.folder, steps))
        try:
            close_day(journal, cut).close()
            finished += 1
        except Cut:
            journal.close()
        reopened = whole.open_current(key)
        assert reopened is not None
        assert reopened.head.seq in (3, 4)
        sell(reopened, 1)
        reopened.close()
        verdicts = verify_all(whole.files(), key.public)
        assert [verdict.problem for verdict in verdicts] == [""] * len(verdicts)
    assert 1 <= finished < 8


def test_a_rotation_that_failed_is_done_again_in_the_same_run(directory, journal, key):
    sell(journal, 3)
    # The disk was full, say: the next file was made, but never put in place.
    prepare_next(journal, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id=BOOT)
    sell(journal, 1)
    following = close_day(journal, directory)
    assert following.head.seq == 5
    assert all(verdict.ok for verdict in verify_all(directory.files(), key.public))


def test_the_next_file_made_twice_is_made_anew(directory, journal, key):
    sell(journal, 3)
    prepare_next(journal, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id=BOOT)
    following = close_day(journal, directory)
    assert following.after(0, 1)[0].body == b'{"suspended":[]}'


def test_a_foreign_file_in_the_folder_is_left_alone(directory, journal, tmp_path):
    (tmp_path / "journal-notes.db").write_bytes(b"mine")
    (tmp_path / "lane.key").write_bytes(b"mine")
    assert directory.current() == journal.path
    assert (tmp_path / "journal-notes.db").exists()


def days_of(directory, journal, days):
    for day in range(days):
        sell(journal, 4)
        journal = close_day(journal, directory, at_ms=day * DAY_MS)
    return journal


def test_a_closed_file_goes_after_90_days_once_all_of_it_is_acknowledged(
    directory, journal
):
    # Three closed files: entries 1-4, 5-9, 10-14, closed on days 0, 1 and 2.
    current = days_of(directory, journal, 3)
    files = directory.files()
    assert directory.delete_closed(14, 89 * DAY_MS) == []
    assert directory.delete_closed(3, 400 * DAY_MS) == []
    assert directory.delete_closed(14, KEEP_MS) == files[:1]
    assert directory.delete_closed(13, KEEP_MS * 9) == files[1:2]
    assert directory.delete_closed(14, KEEP_MS * 9) == files[2:3]
    assert directory.delete_closed(99, KEEP_MS * 9) == []
    assert directory.files() == [current.path]
    assert len(directory.folder.names()) == 3  # the file, its log and the log's index


def test_what_is_left_after_deleting_is_still_a_whole_journal(directory, journal, key):
    current = days_of(directory, journal, 3)
    directory.delete_closed(14, KEEP_MS + DAY_MS)
    verdicts = verify_all(directory.files(), key.public, current.head)
    assert [verdict.ok for verdict in verdicts] == [True, True]
    assert verdicts[0].first_seq == 10


def test_a_file_missing_between_two_is_found(directory, journal, key):
    days_of(directory, journal, 3)
    files = directory.files()
    verdicts = verify_all([files[0], *files[2:]], key.public)
    assert [verdict.ok for verdict in verdicts] == [True, False, True]
    assert verdicts[1].problem == (
        "the file before ends at entry 4, but this one goes on after 9"
    )


def test_a_shelf_reads_all_files_as_one_journal(directory, journal):
    current = days_of(directory, journal, 3)
    shelf = JournalShelf(directory.path)
    acknowledged, seen = 0, []
    while entries := shelf.after(acknowledged, 3):
        seen += [entry.seq for entry in entries]
        acknowledged = entries[-1].seq
    assert seen == list(range(1, 16))
    assert shelf.head == current.head
    # The lane goes on, and closes another day, while the shelf is open.
    sell(current, 1)
    following = close_day(current, directory)
    assert [entry.seq for entry in shelf.after(15, 9)] == [16]
    assert [entry.kind for entry in shelf.after(16, 9)] == [CARRIED_FORWARD]
    assert shelf.head == following.head
    shelf.close()


def test_a_shelf_says_which_epoch_an_entry_was_written_in(directory, journal):
    sell(journal, 2)
    close_day(journal, directory, epoch="e2")
    shelf = JournalShelf(directory.path)
    assert [shelf.holding(seq).epoch for seq in (1, 2, 3)] == ["e1", "e1", "e2"]
    assert shelf.epoch == "e2"
    shelf.close()


def test_a_shelf_says_when_entries_are_no_longer_kept(directory, journal):
    days_of(directory, journal, 2)
    directory.delete_closed(99, KEEP_MS)
    shelf = JournalShelf(directory.path)
    with pytest.raises(FileNotFoundError, match="entry 1 is no longer kept"):
        shelf.after(0, 9)
    assert shelf.after(4, 1)[0].seq == 5
    shelf.close()
