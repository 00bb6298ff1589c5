"""Checking a journal: each way to tamper with it, or to lose a bit, is found."""

import hashlib
import random
import shutil
import sqlite3
from contextlib import contextmanager

import apsw
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from typer.testing import CliRunner

from kiosk.records.chain import Head, entry_digest
from kiosk.records.commands import journal as commands
from kiosk.records.journal import Journal, JournalReader
from kiosk.records.journal_file import JournalDamaged
from kiosk.records.keys import LaneKey
from kiosk.records.rotation import JournalDirectory, rotate
from kiosk.records.verify import verify

BOOT = "3f6c1f0e9d2b4a55"
KEY = LaneKey.from_seed(bytes(range(32)))
# Every tenth entry is signed, as a sale's last one would be.
COUNT = 60


def fill(journal, count=COUNT):
    for n in range(1, count + 1):
        journal.append(
            "ItemFound",
            b'{"item_id":"0400638133%04d","n":%d}' % (n, n),
            at_ms=1_790_000_000_000 + n * 1000,
            mono_ms=n * 1000,
            boot_id=BOOT,
            sign=n % 10 == 0,
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A closed journal of 60 entries and its path; tests change copies of it."""
    path = tmp_path_factory.mktemp("whole") / "journal-000000000001.db"
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=KEY) as journal:
        fill(journal)
    return path


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copy(whole, tmp_path / whole.name)


@pytest.fixture(scope="module")
def entries(whole):
    with JournalReader(whole) as reader:
        return list(reader.entries())


@contextmanager
def tampered(path):
    """Open a file as somebody would who owns it: in the end the triggers are back."""
    db = apsw.Connection(str(path))
    guards = list(
        db.execute("select name, sql from sqlite_schema where type='trigger'")
    )
    for name, _ in guards:
        db.execute(f"drop trigger {name}")
    yield db
    for _, sql in guards:
        db.execute(sql)
    db.close()


def tamper(path, *statements):
    with tampered(path) as db:
        for statement in statements:
            db.execute(statement)


def test_a_whole_journal_is_proven_up_to_its_last_signature(copy, entries):
    verdict = verify(copy, KEY.public)
    assert verdict.ok
    assert verdict.end == Head(60, entries[-1].digest)
    assert verdict.proven == 60
    assert verdict.lines()[0] == "OK"


def test_entries_after_the_last_signature_are_in_order_but_not_proven(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=KEY) as journal:
        fill(journal, 25)
        head = journal.head
    verdict = verify(path, KEY.public)
    assert (verdict.ok, verdict.end.seq, verdict.proven) == (True, 25, 20)
    assert "whether more followed the last entry is not proven" in verdict.lines()[2]
    assert verify(path, KEY.public, head).proven == 25


def test_a_journal_without_a_signature_proves_nothing(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=KEY) as journal:
        fill(journal, 5)
    verdict = verify(path, KEY.public)
    assert (verdict.ok, verdict.proven) == (True, 0)
    assert "no entry is signed" in verdict.lines()[2]


def test_an_empty_journal_is_whole(tmp_path):
    path = tmp_path / "journal.db"
    Journal.create(path, lane_id="lane-1", epoch="e1", key=KEY).close()
    verdict = verify(path, KEY.public)
    assert verdict.ok
    assert "no good entry" in verdict.lines()[1]


def test_a_journal_is_checked_while_the_lane_writes(tmp_path):
    path = tmp_path / "journal.db"
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=KEY) as journal:
        fill(journal, 30)
        assert verify(path, KEY.public).end == journal.head
        fill(journal, 10)
        assert verify(path, KEY.public).end.seq == 40


@pytest.mark.parametrize(
    ("statements", "first_bad", "problem"),
    [
        (
            ["update entry set body = '{\"n\":0}' where seq = 7"],
            7,
            "entry 7 was changed after it was written",
        ),
        (
            ["update entry set training = 1 where seq = 7"],
            7,
            "entry 7 was changed after it was written",
        ),
        (
            ["update entry set at_ms = at_ms + 1 where seq = 1"],
            1,
            "entry 1 was changed after it was written",
        ),
        (
            ["delete from entry where seq = 33"],
            33,
            "entry 33 is missing: 34 follows 32",
        ),
        (
            ["delete from entry where seq between 2 and 9"],
            2,
            "entries 2 to 9 are missing: 10 follows 1",
        ),
        (["delete from entry where seq = 1"], 1, "entry 1 is missing: 2 follows 0"),
        (
            [
                "update entry set seq = -1 where seq = 4",
                "update entry set seq = 4 where seq = 5",
                "update entry set seq = 5 where seq = -1",
            ],
            4,
            "entry 4 was changed after it was written",
        ),
        (
            ["delete from entry where seq > 57"],
            58,
            "entry 60 was signed, but the file ends at 57",
        ),
        (
            ["delete from entry"],
            1,
            "entry 10 was signed, but the file ends at 0",
        ),
        (
            ["update signature set digest = upper(digest) where seq = 20"],
            20,
            "the signature of entry 20 is not the lane's",
        ),
        (
            ["update signature set signature = zeroblob(64) where seq = 50"],
            50,
            "the signature of entry 50 is not the lane's",
        ),
        (
            ["update origin set lane_id = 'lane-2'"],
            None,
            "the file's first page was changed: lane, epoch or key",
        ),
        (
            ["create table more (x)"],
            None,
            "the tables of this file are not those of a journal",
        ),
    ],
)
def test_tampering_is_found_and_named(copy, statements, first_bad, problem):
    tamper(copy, "pragma ignore_check_constraints = on", *statements)
    verdict = verify(copy, KEY.public)
    assert not verdict.ok
    assert verdict.problem == problem
    assert verdict.first_bad == first_bad


def test_the_lane_does_not_go_on_in_a_journal_that_lost_signed_entries(copy):
    tamper(copy, "delete from entry where seq > 57")
    with pytest.raises(JournalDamaged, match="entry 60 was signed, but the file ends"):
        Journal.open(copy, KEY)


def test_the_lane_does_not_go_on_after_a_signature_that_is_not_its_own(copy):
    tamper(copy, "update signature set signature = zeroblob(64) where seq = 60")
    with pytest.raises(JournalDamaged, match="signature of entry 60 is not the lane's"):
        Journal.open(copy, KEY)


def test_dropping_a_guard_is_found(copy):
    db = apsw.Connection(str(copy))
    db.execute("drop trigger entry_is_final")
    db.close()
    assert verify(copy).problem == "the tables of this file are not those of a journal"


def test_a_chain_made_anew_is_given_away_by_the_signatures(copy, entries):
    # Somebody who can compute digests changes entry 7 and all after it.
    changes = []
    digest = entries[5].digest
    for entry in entries[6:]:
        body = b'{"n":0}' if entry.seq == 7 else entry.body
        known = msgspec.structs.asdict(entry)
        del known["digest"]
        digest = entry_digest(digest, **(known | {"body": body}))
        changes.append((body.decode(), digest, entry.seq))
    with tampered(copy) as db:
        db.executemany("update entry set body = ?, digest = ? where seq = ?", changes)
    verdict = verify(copy, KEY.public)
    assert verdict.problem == "the signature of entry 10 is not the lane's"


def test_a_journal_written_with_another_key_is_found(tmp_path, copy):
    forged = tmp_path / "forged.db"
    other = LaneKey.from_seed(bytes(32))
    with Journal.create(forged, lane_id="lane-1", epoch="e1", key=other) as journal:
        fill(journal)
    assert verify(forged).ok
    assert "another key" in verify(forged, KEY.public).problem


def shorten(path):
    tamper(
        path,
        "delete from signature where seq > 40",
        "delete from entry where seq > 40",
    )


def test_a_shortened_file_is_found_with_the_acknowledged_head(copy, entries):
    shorten(copy)
    # By itself it is a whole journal, of an earlier hour.
    assert verify(copy, KEY.public).ok
    verdict = verify(copy, KEY.public, Head(55, entries[54].digest))
    assert not verdict.ok
    assert verdict.first_bad == 41
    assert verdict.problem == "entry 55 was acknowledged, but the file ends at 40"


def test_an_acknowledged_entry_that_reads_otherwise_is_found(copy):
    verdict = verify(copy, KEY.public, Head(55, "ab" * 32))
    assert verdict.problem == "entry 55 is not the one that was acknowledged"
    assert verdict.first_bad == 55


def test_every_flipped_bit_is_found_or_without_effect_on_any_entry(
    whole, tmp_path, entries
):
    content = whole.read_bytes()
    seeded = random.Random(20_261_123)
    path = tmp_path / "flipped.db"
    found = harmless = 0
    for bit in seeded.sample(range(len(content) * 8), 800):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        for log in ("-wal", "-shm"):
            path.with_name(path.name + log).unlink(missing_ok=True)
        if verify(path, KEY.public).ok:
            harmless += 1
            # What sync and reports read is what the lane wrote, all of it.
            with JournalReader(path) as reader:
                assert list(reader.entries()) == entries, bit
                assert reader.after(0, 1000) == entries, bit
                assert reader.head.seq == 60
        else:
            found += 1
    assert found > 150
    assert harmless > 50  # unused parts of pages: 60 entries fill few of them


def test_a_flipped_bit_in_the_tree_that_hides_entries_from_a_search_is_found(
    whole, tmp_path, entries
):
    # An inner page only guides a search: all entries are there, and are not found.
    db = apsw.Connection(str(whole))
    ((page,),) = db.execute("select rootpage from sqlite_schema where name = 'entry'")
    db.close()
    content = whole.read_bytes()
    start = (page - 1) * 4096
    assert content[start] == 5, "the entries fill more than one page"
    path = tmp_path / "flipped.db"
    hidden = 0
    # sqlite.org/fileformat.html 1.6: header, pointers, and the cells at the end.
    pointers = 12 + 2 * int.from_bytes(content[start + 3 : start + 5])
    cells = int.from_bytes(content[start + 5 : start + 7])
    asked = (0, 5, 17, 29, 41, 53, 59)
    for byte in [*range(pointers), *range(cells, 4096)]:
        for bit in range(8):
            flipped = bytearray(content)
            flipped[start + byte] ^= 1 << bit
            path.write_bytes(flipped)
            ok = verify(path, KEY.public).ok
            try:
                with JournalReader(path) as reader:
                    found = [reader.after(seq, 99) for seq in asked]
            except OSError:
                found = []
            right = found == [entries[seq:] for seq in asked]
            assert right or not ok, (byte, bit)
            hidden += not right
    assert hidden > 20


def test_every_flipped_bit_of_an_entrys_own_bytes_is_found(whole, tmp_path, entries):
    content = whole.read_bytes()
    seeded = random.Random(7)
    path = tmp_path / "flipped.db"
    for entry in seeded.sample(entries, 12):
        for field in (entry.body, entry.digest.encode()):
            # A page that was split leaves an older copy in unused space, so the same
            # bit is flipped in each.
            bit = seeded.randrange(len(field) * 8)
            flipped = bytearray(field)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(content.replace(field, bytes(flipped)))
            verdict = verify(path, KEY.public)
            assert verdict.first_bad in (entry.seq, entry.seq + 1), verdict
            path.with_name(path.name + "-wal").unlink(missing_ok=True)
            path.with_name(path.name + "-shm").unlink(missing_ok=True)


def test_a_log_with_a_flipped_bit_ends_the_journal_early_and_the_head_tells(
    tmp_path,
):
    # SQLite takes a damaged frame for the end of its log: entries are gone without a
    # word, unless the back office's head is at hand.
    source = tmp_path / "journal.db"
    journal = Journal.create(source, lane_id="lane-1", epoch="e1", key=KEY)
    journal.checkpoint()
    fill(journal, 30)
    log = source.with_name(source.name + "-wal").read_bytes()
    database = source.read_bytes()
    head = journal.head
    journal.close()
    seeded = random.Random(3)
    for number in range(60):
        path = tmp_path / f"{number}.db"
        path.write_bytes(database)
        flipped = bytearray(log)
        bit = seeded.randrange(len(log) * 8)
        flipped[bit // 8] ^= 1 << bit % 8
        path.with_name(path.name + "-wal").write_bytes(flipped)
        verdict = verify(path, KEY.public, head)
        assert verdict.ok == (verdict.end == head)
        assert verdict.ok or "acknowledged, but the file ends at" in verdict.problem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"SQLite format 3\x00",
        bytes(100_000),
        b"SQLite format 3\x00" + bytes(5000),
        random.Random(1).randbytes(20_000),
        b"SQLite format 3\x00" + random.Random(2).randbytes(20_000),
    ],
)
def test_a_file_of_garbage_is_bad_and_nothing_worse(tmp_path, content):
    path = tmp_path / "garbage.db"
    path.write_bytes(content)
    verdict = verify(path, KEY.public, Head(1, "00" * 32))
    assert not verdict.ok
    assert verdict.lines()[0].startswith("BAD: ")


def test_a_page_of_garbage_anywhere_is_found_or_without_effect(
    whole, tmp_path, entries
):
    content = whole.read_bytes()
    path = tmp_path / "garbage.db"
    for start in range(0, len(content), 4096):
        for page in (bytes(4096), random.Random(start).randbytes(4096)):
            path.write_bytes(content[:start] + page + content[start + 4096 :])
            assert not verify(path, KEY.public).ok


def test_a_missing_file_is_bad_and_is_not_made(tmp_path):
    path = tmp_path / "nothing.db"
    assert "cannot be opened" in verify(path).problem
    assert not path.exists()


def test_another_programs_database_is_no_journal(tmp_path):
    path = tmp_path / "other.db"
    db = apsw.Connection(str(path))
    db.execute("create table entry (seq, body)")
    db.close()
    assert "not those of a journal" in verify(path).problem
    with pytest.raises(JournalDamaged):
        JournalReader(path)


def test_a_stranger_can_check_a_journal_by_the_readme_alone(copy):
    # Written from README.md with the standard library; nothing of ours.
    def netstrings(*values):
        texts = [v if isinstance(v, bytes) else str(v).encode() for v in values]
        return b"".join(str(len(t)).encode() + b":" + t + b"," for t in texts)

    db = sqlite3.connect(copy)
    lane, epoch, first, previous, public, signature = db.execute(
        "select lane_id, epoch, first_seq, previous_digest, public_key, signature"
        " from origin"
    ).fetchone()
    key = Ed25519PublicKey.from_public_bytes(public)
    text = netstrings("stillopen-origin-1", lane, epoch, first, previous, public)
    key.verify(signature, text)
    digests = {}
    for seq, at_ms, mono_ms, boot_id, kind, body, training, digest in db.execute(
        "select * from entry order by seq"
    ):
        values = (previous, seq, at_ms, mono_ms, boot_id, kind, body, training)
        text = netstrings("stillopen-entry-1", *values)
        assert hashlib.sha256(text).hexdigest() == digest
        previous = digests[seq] = digest
    signed = db.execute("select seq, digest, signature from signature").fetchall()
    for seq, digest, signature in signed:
        assert digests[seq] == digest
        key.verify(signature, netstrings("stillopen-head-1", lane, epoch, seq, digest))
    assert (len(digests), len(signed)) == (60, 6)
    db.close()


# -- the commands ------------------------------------------------------------


@pytest.fixture
def run():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(commands, [str(a) for a in arguments])


def test_the_command_says_ok_and_how_far(run, copy, tmp_path, entries):
    key = tmp_path / "lane.pem"
    key.write_bytes(KEY.public_pem())
    ran = run("verify", copy, "--key", key, "--head", f"60:{entries[-1].digest}")
    assert ran.exit_code == 0, ran.output
    assert f"{copy}: OK" in ran.output
    assert "nothing is missing up to entry 60" in ran.output


def test_the_command_fails_for_a_shortened_file(run, copy, entries):
    shorten(copy)
    ran = run("verify", copy, "--head", f"60:{entries[-1].digest}")
    assert ran.exit_code == 1
    assert "BAD: entry 60 was acknowledged, but the file ends at 40" in ran.output


def test_the_command_checks_a_folder_across_its_files(run, tmp_path):
    directory = JournalDirectory(tmp_path)
    journal = directory.begin(lane_id="lane-1", epoch="e1", key=KEY)
    for _ in range(2):
        fill(journal, 10)
        journal = rotate(
            journal, directory, carry_forward=b"{}", at_ms=1, mono_ms=1, boot_id=BOOT
        )
    head = journal.head
    journal.close()
    ran = run("verify", tmp_path, "--head", f"{head.seq}:{head.digest}")
    assert ran.exit_code == 0, ran.output
    assert ran.output.count(": OK") == 3
    first, second, third = directory.files()
    ran = run("verify", first, third)
    assert ran.exit_code == 1
    assert "the file before ends at entry 10" in ran.output
    # The head may lie in an earlier file.
    with JournalReader(second) as reader:
        held = reader.after(14, 1)[0]
    assert run("verify", tmp_path, "--head", f"15:{held.digest}").exit_code == 0
    ran = run("verify", tmp_path, "--head", f"15:{'0' * 64}")
    assert ran.exit_code == 1
    assert f"{second}: BAD: entry 15 is not the one" in ran.output


@pytest.mark.parametrize("head", ["7", "x:" + "0" * 64, "7:abc", ":"])
def test_a_head_that_is_none_is_refused_in_words(run, copy, head):
    ran = run("verify", copy, "--head", head)
    assert ran.exit_code == 2
    assert "SEQ:DIGEST" in ran.output


def test_a_key_that_is_none_is_refused_in_words(run, copy, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(b"no key")
    ran = run("verify", copy, "--key", key)
    assert ran.exit_code == 2
    words = " ".join(ran.output.replace("│", " ").split())
    assert "holds no public key: expected PEM or 64 hexadecimal digits" in words


def test_export_writes_one_line_of_json_for_each_entry(run, copy, entries):
    ran = run("export", copy)
    assert ran.exit_code == 0
    lines = [msgspec.json.decode(line) for line in ran.stdout.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, 61))
    assert lines[6]["body"] == {"item_id": "04006381330007", "n": 7}
    assert (lines[6]["lane"], lines[6]["digest"]) == ("lane-1", entries[6].digest)


def test_export_keeps_a_body_of_many_lines_on_one(run, tmp_path):
    path = tmp_path / "journal.db"
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=KEY) as journal:
        journal.append("X", b'{\n"a": 1\n}', at_ms=1, mono_ms=1, boot_id=BOOT)
    ran = run("export", path)
    assert msgspec.json.decode(ran.stdout)["body"] == {"a": 1}
    assert len(ran.stdout.splitlines()) == 1


def test_export_of_a_bad_file_fails_in_words(run, tmp_path):
    path = tmp_path / "garbage.db"
    path.write_bytes(b"x" * 5000)
    ran = run("export", path)
    assert ran.exit_code == 1
    assert "cannot be read" in ran.stderr
