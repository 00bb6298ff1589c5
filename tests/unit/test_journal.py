"""The journal: on disk when append returns, in order, for good."""

import os
import subprocess
import sys
from typing import Any

import apsw
import pytest

from kiosk.records.chain import entry_digest, fields, head_text
from kiosk.records.journal import (
    Journal,
    JournalDamaged,
    JournalFailed,
    JournalReader,
)
from kiosk.records.keys import LaneKey, is_signed

BOOT = "3f6c1f0e9d2b4a55"


@pytest.fixture
def key():
    return LaneKey.from_seed(bytes(range(32)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal-000000000001.db"


@pytest.fixture
def journal(path, key):
    journal = Journal.create(path, lane_id="lane-1", epoch="e1", key=key)
    yield journal
    journal.close()


def write(journal, count, *, first=1, sign=False):
    return [
        journal.append(
            "ItemFound",
            b'{"n":%d}' % n,
            at_ms=1_790_000_000_000 + n,
            mono_ms=n,
            boot_id=BOOT,
            sign=sign,
        )
        for n in range(first, first + count)
    ]


def test_entries_are_numbered_without_a_gap_and_read_back_as_written(journal):
    written = write(journal, 5)
    assert [entry.seq for entry in written] == [1, 2, 3, 4, 5]
    assert journal.after(0, 10) == written
    assert journal.after(3, 1) == [written[3]]
    assert list(journal.entries(first=4)) == written[3:]
    assert journal.head.seq == 5
    assert journal.head.digest == written[-1].digest


def test_each_entry_is_chained_to_the_one_before(journal):
    first, second = write(journal, 2)
    common: dict[str, Any] = {
        "mono_ms": 2,
        "boot_id": BOOT,
        "kind": "ItemFound",
        "training": False,
    }
    at_ms = 1_790_000_000_002
    body = b'{"n":2}'
    expected = entry_digest(first.digest, seq=2, at_ms=at_ms, body=body, **common)
    assert second.digest == expected
    assert second.digest != entry_digest("", seq=2, at_ms=at_ms, body=body, **common)


def test_no_two_lists_of_fields_are_hashed_alike():
    assert fields(b"ab", b"c") != fields(b"a", b"bc")
    assert fields(b"a", b"") != fields(b"a")
    assert fields(b"1:a,") != fields(b"a")


def test_every_field_of_an_entry_is_in_its_digest():
    entry: dict[str, Any] = {
        "seq": 7,
        "at_ms": 1,
        "mono_ms": 2,
        "boot_id": "b",
        "kind": "k",
        "body": b"{}",
        "training": False,
    }
    changes: list[dict[str, Any]] = [
        {"seq": 8},
        {"at_ms": 2},
        {"mono_ms": 3},
        {"boot_id": "c"},
        {"kind": "l"},
        {"body": b"[]"},
        {"training": True},
    ]
    digests = {entry_digest("p", **(entry | change)) for change in [{}, *changes]}
    digests.add(entry_digest("q", **entry))
    assert len(digests) == len(changes) + 2


def test_an_entry_is_on_disk_when_append_returns(tmp_path, key):
    # A process that is killed the moment append returned: nothing else is flushed.
    path = tmp_path / "journal.db"
    child = os.fork()
    if child == 0:
        journal = Journal.create(path, lane_id="lane-1", epoch="e1", key=key)
        write(journal, 20)
        os.kill(os.getpid(), 9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    with Journal.open(path, key) as journal:
        assert journal.head.seq == 20
        write(journal, 1, first=21)
        assert [entry.seq for entry in journal.entries()] == list(range(1, 22))


def test_what_the_database_is_told_is_read_back(path, journal):
    db = journal._db
    assert db.pragma("synchronous") == 2
    assert db.pragma("journal_mode") == "wal"
    assert db.pragma("foreign_keys") == 1
    assert db.pragma("cell_size_check") == 1
    assert db.pragma("trusted_schema") == 0
    assert db.pragma("mmap_size") == 0
    assert db.pragma("wal_autocheckpoint") == 0


def test_an_old_sqlite_is_refused(path, key, monkeypatch):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.46.1")
    with pytest.raises(RuntimeError, match=r"SQLite 3\.46\.1 can corrupt a journal"):
        Journal.create(path, lane_id="lane-1", epoch="e1", key=key)


@pytest.mark.parametrize(
    "statement",
    [
        "update entry set body = '{}' where seq = 2",
        "delete from entry where seq = 3",
        "insert into entry select 5, at_ms, 0, '', 'k', '{}', 0, digest from entry limit 1",
        "insert or replace into entry select seq, 0, 0, '', 'k', '{}', 0, digest from entry limit 1",
        "update signature set seq = 1",
        "delete from signature",
        "update origin set lane_id = 'lane-2'",
        "delete from origin",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_written(
    path, journal, statement
):
    write(journal, 3, sign=True)
    other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    with pytest.raises(apsw.ConstraintError):
        other.execute(statement)
    other.close()
    assert len(journal.after(0, 10)) == 3


def test_a_body_that_is_no_json_is_refused_and_the_journal_goes_on(journal):
    write(journal, 1)
    for sign in (False, True):
        with pytest.raises(ValueError, match="needs a kind and a body of JSON"):
            journal.append(
                "Bad", b"{", at_ms=0, mono_ms=0, boot_id=BOOT, training=False, sign=sign
            )
    with pytest.raises(UnicodeDecodeError):
        journal.append("Bad", b'"\xff"', at_ms=0, mono_ms=0, boot_id=BOOT)
    write(journal, 1, first=2)
    assert journal.head.seq == 2


def test_training_entries_say_so(journal):
    journal.append(
        "X", b"{}", at_ms=0, mono_ms=0, boot_id=BOOT, training=True, sign=False
    )
    assert [entry.training for entry in journal.after(0, 9)] == [True]


def test_a_clock_that_jumped_back_a_year_changes_nothing_in_the_order(journal):
    journal.append("A", b"{}", at_ms=1_790_000_000_000, mono_ms=1, boot_id=BOOT)
    journal.append("B", b"{}", at_ms=-5, mono_ms=2, boot_id=BOOT)
    assert [entry.kind for entry in journal.after(0, 9)] == ["A", "B"]


def test_a_signed_entry_carries_the_lanes_signature(path, journal, key):
    write(journal, 3)
    (signed,) = write(journal, 1, first=4, sign=True)
    with JournalReader(path) as reader:
        (signature,) = reader.signatures()
    assert (signature.seq, signature.digest) == (4, signed.digest)
    text = head_text("lane-1", "e1", 4, signed.digest)
    assert is_signed(key.public, text, signature.signature)
    assert not is_signed(key.public, text + b"x", signature.signature)


def test_signing_the_head_twice_gives_the_same_signature(journal):
    write(journal, 2)
    assert journal.sign_head() == journal.sign_head()


def test_an_empty_journal_has_nothing_to_sign(journal):
    with pytest.raises(ValueError, match="no entry to sign"):
        journal.sign_head()


def test_a_journal_opened_again_goes_on_where_it_was(path, key):
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=key) as journal:
        write(journal, 2)
    with Journal.open(path, key) as journal:
        assert (journal.lane_id, journal.epoch) == ("lane-1", "e1")
        write(journal, 1, first=3)
        assert journal.head.seq == 3


def test_a_file_is_never_begun_twice(path, journal, key):
    with pytest.raises(FileExistsError):
        Journal.create(path, lane_id="lane-1", epoch="e2", key=key)


def test_a_missing_journal_is_not_made_by_opening_it(path, key):
    with pytest.raises(JournalFailed, match="cannot be opened"):
        Journal.open(path, key)
    with pytest.raises(FileNotFoundError):
        JournalReader(path)
    assert not path.exists()


def test_another_lanes_key_does_not_open_the_journal(path, key):
    Journal.create(path, lane_id="lane-1", epoch="e1", key=key).close()
    with pytest.raises(JournalDamaged, match="another lane's key"):
        Journal.open(path, LaneKey.from_seed(bytes(32)))


def test_a_damaged_entry_is_found_when_the_lane_opens(path, key):
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=key) as journal:
        write(journal, 40)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{"n":33}', b'{"n":32}'))
    with pytest.raises(JournalDamaged, match="entry 33 was changed"):
        Journal.open(path, key)


@pytest.mark.parametrize("content", [b"", b"not a database", bytes(8192)])
def test_a_file_that_is_no_journal_is_refused_in_words(path, key, content):
    path.write_bytes(content)
    with pytest.raises(OSError, match="journal"):
        Journal.open(path, key)


def test_a_second_writer_cannot_fork_the_numbers(path, journal, key):
    write(journal, 1)
    second = Journal.open(path, key)
    write(second, 1, first=2)
    with pytest.raises(JournalFailed, match="another program writes this journal"):
        write(journal, 1, first=2)
    second.close()


def test_the_log_is_folded_in_when_idle_and_when_it_grows_too_long(
    path, journal, monkeypatch
):
    monkeypatch.setattr("kiosk.records.journal.LONGEST_LOG_PAGES", 50)
    before = path.stat().st_size
    write(journal, 20)
    assert path.stat().st_size == before
    journal.checkpoint()
    folded = path.stat().st_size
    assert folded > before
    write(journal, 200, first=21)
    assert path.stat().st_size > folded
    assert path.with_name(path.name + "-wal").stat().st_size < 120 * 4096


def test_a_reader_sees_each_entry_as_soon_as_it_is_on_disk(path, journal):
    with JournalReader(path) as reader:
        assert reader.head.seq == 0
        written = write(journal, 3)
        assert reader.after(0, 10) == written
        assert reader.head == journal.head
        journal.checkpoint()
        written += write(journal, 2, first=4)
        assert list(reader.entries()) == written


def test_a_reader_cannot_write_and_folds_nothing_in(path, key):
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=key) as journal:
        write(journal, 3)
        reader = JournalReader(path)
        with pytest.raises(apsw.ReadOnlyError):
            reader._db.execute("insert into signature values (1, '', x'')")
    size = path.stat().st_size
    reader.close()
    assert path.stat().st_size == size
    assert path.with_name(path.name + "-wal").exists()


def test_a_log_cut_short_loses_only_what_was_never_acknowledged(tmp_path, key):
    # The machine died while an append was writing: its frames end anywhere.
    source = tmp_path / "journal.db"
    sizes = []
    Journal.create(source, lane_id="lane-1", epoch="e1", key=key).close()
    with Journal.open(source, key) as journal:
        log = source.with_name(source.name + "-wal")
        for n in range(1, 13):
            write(journal, 1, first=n)
            sizes.append(log.stat().st_size)
        database, frames = source.read_bytes(), log.read_bytes()
    for cut in range(0, len(frames) + 1, 517):
        path = tmp_path / f"cut-{cut}.db"
        path.write_bytes(database)
        path.with_name(path.name + "-wal").write_bytes(frames[:cut])
        acknowledged = sum(1 for size in sizes if size <= cut)
        with Journal.open(path, key) as journal:
            assert journal.head.seq == acknowledged
            write(journal, 1, first=acknowledged + 1)


FULL = """
import resource, signal, sys
from pathlib import Path
from kiosk.records.journal import Journal, JournalFailed
from kiosk.records.keys import LaneKey

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
key = LaneKey.from_seed(bytes(range(32)))
path = Path(sys.argv[1])
journal = Journal.create(path, lane_id="lane-1", epoch="e1", key=key)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
kept = 0
words = set()
for n in range(100):
    try:
        journal.append("X", b'{"pad":"%s"}' % (b"x" * 3000), at_ms=n, mono_ms=n,
                       boot_id="b")
        kept += 1
    except JournalFailed as error:
        words.add(error.strerror)
print(kept, journal.head.seq)
print(sorted(words))
journal.close()
"""


def test_when_the_disk_takes_no_more_the_lane_is_told_and_nothing_is_lost(path, key):
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    counts, words = ran.stdout.splitlines()
    kept, head = map(int, counts.split())
    assert 10 < kept < 100
    assert kept == head
    assert "open it anew" in words
    with Journal.open(path, key) as journal:
        assert journal.head.seq == kept
        write(journal, 1, first=kept + 1)


def test_a_full_database_kills_the_handle_until_it_is_opened_anew(path, key):
    journal = Journal.create(path, lane_id="lane-1", epoch="e1", key=key)
    write(journal, 5)
    journal._db.pragma("max_page_count", journal._db.pragma("page_count"))
    with pytest.raises(JournalFailed, match="the disk is full"):
        write(journal, 500, first=6)
    held = journal.head.seq
    journal._db.pragma("max_page_count", 1_000_000)
    for _ in range(2):
        with pytest.raises(JournalFailed, match="the disk is full; open it anew"):
            write(journal, 1)
    with pytest.raises(JournalFailed):
        journal.checkpoint()
    with pytest.raises(JournalFailed):
        journal.sign_head()
    journal.close()
    with Journal.open(path, key) as journal:
        assert journal.head.seq == held


def test_this_file_may_be_written_to_by_the_group(path, journal):
    assert path.stat().st_mode & 0o777 == 0o660
