"""A cut disk is examined: what is whole is found whole, and each fault is found."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cut_disks import (
    BEGINS,
    FLUSHED,
    MIB,
    PAYLOAD,
    RECOVERY_KEY,
    SECTOR,
    encrypted,
    environment,
    journal_in,
    missing_packages,
    put,
    sales,
    small_disk,
    write_log,
    written,
)
from imagebuild import cuts, promises
from imagebuild.blocklog import BlockLog, Cut
from imagebuild.bootslots import (
    BootSlots,
    SlotError,
    parse_environment,
    verity_problem,
)
from imagebuild.cutdisk import CutDisk, ext4_problem, read_journal
from imagebuild.volumes import VolumeError, Xts, open_luks, partitions
from typer.testing import CliRunner

from kiosk.records.rotation import journal_files

_MISSING = missing_packages()
pytestmark = pytest.mark.skipif(bool(_MISSING), reason=f"missing here: {_MISSING}")
NAME = "journal-000000000001.db"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A disk whose lane has made one sale."""
    return small_disk(tmp_path_factory.mktemp("disk"), sales(1))


@pytest.fixture
def sold(shop, tmp_path):
    """The writes of twenty-nine sales more."""
    return shop.changed(tmp_path, journal_in(tmp_path / "more", sales(30)))


@pytest.fixture
def found(shop, tmp_path):
    """Replay these entries and return what was found: all cuts, judged."""

    def find(entries, marks=(), count=40, base=None):
        log = BlockLog(write_log(tmp_path / "log", entries))
        folder = tmp_path / "work"
        folder.mkdir()
        disk = CutDisk(log, base or shop.path, folder, shop.escrow_key, shop.signed)
        found = [*cuts.replayed(disk, log, cuts.planned(log.last, count, 1), marks)]
        disk.close()
        return found

    return find


def broken(findings):
    return {promise for one in findings for promise in one.broken}


# -- promises --------------------------------------------------------------


def test_a_shop_that_sells_keeps_every_promise(found, sold):
    marks = [promises.Mark(1, 1), promises.Mark(1 << 40, 30)]
    findings = found([*sold, FLUSHED], marks)
    # Cuts in between tear one file system into another: only whole ones count here.
    ends = [one for one in findings if not one.cut.seed]
    assert broken(ends) == set()
    assert [one.journal.sales for one in ends if one.journal] == [1, 30]
    assert ends[-1].journal.seq == 30


def test_each_write_that_was_lost_is_found(shop, sold, tmp_path):
    # The superblock's own change is a count that every mount takes anew.
    needed = [n for n, one in enumerate(sold) if one[0] * SECTOR > PAYLOAD]
    assert len(needed) > 10
    for lost in needed:
        entries = [*sold[:lost], *sold[lost + 1 :], FLUSHED]
        log = BlockLog(write_log(tmp_path / "log", entries))
        folder = tmp_path / f"without-{lost}"
        folder.mkdir()
        disk = CutDisk(log, shop.path, folder, shop.escrow_key, shop.signed)
        findings = [*cuts.replayed(disk, log, [Cut(0, 0), Cut(1, 0)], [])]
        disk.close()
        assert findings[0].broken == {}
        assert broken(findings[1:]) & {promises.DATA, promises.JOURNAL}


def test_a_journal_that_became_shorter_is_found(shop, found, sold, tmp_path):
    back = [written(begin * SECTOR, _was(shop, begin)) for begin, *_ in sold]
    findings = found([*sold, FLUSHED, *back, FLUSHED])
    ends = [one for one in findings if not one.cut.seed]
    assert [set(one.broken) for one in ends] == [
        set(),
        {promises.CHAIN},
        {promises.KEPT},
    ]


def _was(shop, begin):
    with shop.path.open("rb") as file:
        file.seek(begin * SECTOR)
        return file.read(4096)


def test_another_journal_in_its_place_is_found(shop, found, tmp_path):
    other = journal_in(tmp_path / "other", [(), *sales(1)])
    findings = found([*shop.changed(tmp_path, other), FLUSHED], count=2)
    assert promises.CHAIN in findings[0].broken


def test_a_chain_that_was_cut_is_found(shop, found, tmp_path):
    path = journal_in(tmp_path / "bad", sales(2))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"HelpPressed")
    raw[at : at + 4] = b"Hulp"
    path.write_bytes(raw)
    findings = found([*shop.changed(tmp_path, path), FLUSHED], count=2)
    assert "entry" in findings[-1].broken[promises.JOURNAL]


def test_a_sale_that_was_seen_and_is_not_there_is_found(found, sold):
    log_end = SECTOR * (1 + 9 * len(sold) + 1)
    findings = found([*sold, FLUSHED], [promises.Mark(log_end, 31)], count=2)
    assert [set(one.broken) for one in findings] == [set(), {promises.SALES}]
    assert "31 sales were complete" in findings[-1].broken[promises.SALES]


def test_a_key_slot_that_was_spoilt_is_found(found):
    spoilt = written(BEGINS["DATA"], bytes(1 << 20))
    findings = found([spoilt, FLUSHED], count=2)
    assert "does not open" in findings[-1].broken[promises.DATA]


def test_a_state_that_was_spoilt_is_found(shop, found):
    # The root folder's inode table.
    spoilt = written(BEGINS["STATE"] + 4096, b"\xff" * 65536)
    findings = found([spoilt, FLUSHED], count=2)
    assert promises.STATE in findings[-1].broken


def test_a_slot_that_was_spoilt_is_found_and_the_other_one_saves_it(
    shop, found, tmp_path
):
    spoilt = written(BEGINS["ROOT_A"] + 4096, b"\xff" * 512)
    findings = found([spoilt, FLUSHED], count=2)
    assert "content and its hash tree differ" in findings[-1].broken[promises.SLOT]


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ("", ""),
        # As if the plug had been pulled while it was mounted: a mount makes no check.
        ("needs_recovery", "more than a mount repairs"),
    ],
)
def test_a_check_that_was_cut_off_is_made_again(tmp_path, features, problem):
    image = file_system_with_an_orphan(tmp_path, features)
    before = image.read_bytes()
    subprocess.run(["e2fsck", "-p", str(image)], check=False, capture_output=True)
    mended = image.read_bytes()
    blocks = [
        at
        for at in range(0, len(before), 4096)
        if before[at : at + 4096] != mended[at : at + 4096]
    ]
    # The superblock, the group's table, and then two bitmaps and the inode: these were
    # written, those were not.
    assert len(blocks) >= 5
    half = bytearray(before)
    for at in blocks[2:]:
        half[at : at + 4096] = mended[at : at + 4096]
    image.write_bytes(half)
    assert ext4_problem(image, tmp_path / "copy")[: len(problem) or None] == problem


def file_system_with_an_orphan(folder, features):
    """A file that was deleted while it was open, as a pulled plug leaves it."""
    content = folder / "content"
    content.mkdir()
    (content / "open").write_bytes(bytes(range(256)) * 64)
    image = folder / "orphan.ext4"
    make = ["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-d", str(content)]
    subprocess.run([*make, str(image), "16M"], check=True)
    told = debugfs(image, "stat /open")
    inode = told.split("Inode: ")[1].split()[0]
    debugfs(image, "unlink /open")
    debugfs(image, f"set_inode_field <{inode}> links_count 0")
    debugfs(image, f"set_super_value last_orphan {inode}")
    if features:
        debugfs(image, f"feature {features}")
    return image


def debugfs(image, request):
    command = ["debugfs", "-w", "-R", request, str(image)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_disk_that_never_started_is_refused(tmp_path, shop):
    log = BlockLog(write_log(tmp_path / "log", [FLUSHED]))
    bare = tmp_path / "bare"
    with bare.open("wb") as file:
        file.truncate(8 * MIB)
    with pytest.raises(VolumeError, match="partition table"):
        CutDisk(log, bare, tmp_path, shop.escrow_key, shop.signed)


# -- slots -----------------------------------------------------------------


def test_an_environment_is_read_and_its_crc_checked():
    whole = environment("C:BOOT1:k.efi", 7, state=2)
    read = parse_environment(whole)
    assert (read.kernel, read.revision, read.state) == ("C:BOOT1:k.efi", 7, 2)
    assert read.watchdog_seconds == 120
    assert read.is_on_trial
    with pytest.raises(SlotError, match="CRC"):
        parse_environment(whole[:600] + b"\x01" + whole[601:])
    with pytest.raises(SlotError, match="512 bytes"):
        parse_environment(whole[:512])


def slots(disk, shop):
    return BootSlots(disk, partitions(disk), shop.signed).problem()


@pytest.fixture
def disk(shop, tmp_path):
    return Path(shutil.copy(shop.path, tmp_path / "disk"))


def test_a_good_slot_is_enough_unless_the_loader_takes_the_other(disk, shop):
    assert slots(disk, shop) == ""
    put(disk, "BOOT1", "BGENV.DAT", environment("C:BOOT1:k.efi", 2, state=1))
    # On trial without a kernel: it falls back.
    assert slots(disk, shop) == ""
    put(disk, "BOOT1", "BGENV.DAT", environment("C:BOOT1:k.efi", 2, state=0))
    assert "BOOT1: k.efi cannot be read" in slots(disk, shop)
    put(disk, "BOOT1", "BGENV.DAT", environment("C:BOOT1:k.efi", 2)[:-1] + b"!")
    assert slots(disk, shop) == ""


def test_no_valid_environment_is_found(disk, shop):
    for name in ("BOOT0", "BOOT1"):
        put(disk, name, "BGENV.DAT", b"short")
    assert "BOOT0: the environment has 5 bytes; BOOT1" in slots(disk, shop)


def test_a_kernel_that_was_not_signed_is_found(disk, shop):
    put(disk, "BOOT0", "k.efi", shop.kernel[:-1] + b"0")
    assert "not one that was signed" in slots(disk, shop)


@pytest.mark.parametrize("blocks", [2, 128, 129, 16500])
def test_a_hash_tree_is_checked_as_veritysetup_makes_it(tmp_path, blocks):
    image, offset = tmp_path / "root", blocks * 4096
    image.write_bytes((b"squash" * 683)[:4096] * blocks)
    told = subprocess.run(
        [
            "veritysetup",
            "format",
            image,
            image,
            f"--hash-offset={offset}",
            f"--data-blocks={blocks}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    root_hash = told.stdout.split()[-1]
    raw = bytearray(image.read_bytes())

    def read(at, length):
        return bytes(raw[at : at + length])

    assert verity_problem(read, root_hash, offset) == ""
    assert "another" in verity_problem(read, root_hash[::-1], offset)
    raw[-5000 if blocks > 128 else 100] ^= 1
    assert "differ" in verity_problem(read, root_hash, offset)


# -- DATA ------------------------------------------------------------------


def test_xts_is_that_of_the_standard():
    # IEEE 1619-2007, annex B, vector 2's key and data unit, for 128-bit keys; the rest
    # of a sector is not in the vector, so only its first 32 bytes are compared.
    cipher = Xts(b"\x11" * 16 + b"\x22" * 16, 512)
    known = bytes.fromhex(
        "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0"
    )
    plain = cipher.decrypted(known + bytes(479) + b"\1", 0x3333333333)
    assert plain[:32] == b"\x44" * 32


@pytest.mark.parametrize("sector", [512, 4096])
def test_what_cryptsetup_encrypted_is_read(tmp_path, sector):
    image, key = tmp_path / "luks", tmp_path / "key"
    plain = bytes(range(256)) * 16 * 256
    image.write_bytes(plain + bytes(40 * MIB - len(plain)))
    key.write_text(RECOVERY_KEY)
    done = subprocess.run(
        [
            "cryptsetup",
            "reencrypt",
            "--encrypt",
            "--type",
            "luks2",
            "-q",
            "--reduce-device-size",
            "32M",
            "--pbkdf",
            "pbkdf2",
            "--pbkdf-force-iterations",
            "1000",
            "--sector-size",
            str(sector),
            "--key-file",
            str(key),
            str(image),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"cryptsetup encrypts no file here: {done.stderr.strip()[-200:]}")
    opened = open_luks(image, RECOVERY_KEY)
    assert opened.cipher.sector == sector
    raw = image.read_bytes()[opened.offset : opened.offset + MIB]
    assert plain not in raw
    # From the beginning and from the middle: the tweak counts.
    assert opened.cipher.decrypted(raw, 0) == plain
    assert opened.cipher.decrypted(raw[8192:12288], 16) == plain[8192:12288]
    with pytest.raises(VolumeError, match="does not open"):
        open_luks(image, "another key")


def test_a_sector_that_is_half_new_is_decrypted_whole():
    cipher = Xts(bytes(range(64)), 4096)
    whole = encrypted(b"x" * 4096, cipher)
    torn = encrypted(b"y" * 4096, cipher)[:512] + whole[512:]
    plain = cipher.decrypted(torn, 0)
    assert plain[:512] == b"y" * 512
    assert plain[512:] == b"x" * 3584


def test_a_journal_is_counted_and_no_journal_is_none(tmp_path):
    journal_in(tmp_path / "journal", [(), *sales(2)])
    journal, digests = read_journal(tmp_path / "journal")
    assert (journal.seq, journal.sales, len(digests)) == (3, 2, 3)
    assert journal_files(tmp_path / "journal")[0].name == NAME
    assert read_journal(tmp_path / "nowhere") == (promises.Journal(), {})


# -- the command -----------------------------------------------------------


def test_the_command_names_the_cuts_that_broke_a_promise(shop, sold, tmp_path):
    write_log(tmp_path / "log", [*sold, FLUSHED])
    (tmp_path / "escrow.key").write_bytes(shop.escrow_key)
    (tmp_path / "kernel").write_bytes(shop.kernel)
    marks = tmp_path / "marks"
    command = [str(tmp_path / "log"), "--base", str(shop.path), "--cuts", "2"]
    command += ["--keys", str(tmp_path), "--kernel", str(tmp_path / "kernel")]
    command += ["--marks", str(marks), "--result", str(tmp_path / "result")]
    marks.write_text('{"log_bytes": 1, "sales": 1}\n')
    done = CliRunner().invoke(cuts.app, command)
    assert done.exit_code == 0, done.output
    assert "sales at the end            30" in done.output
    marks.write_text('{"log_bytes": 1, "sales": 2}\n')
    done = CliRunner().invoke(cuts.app, command)
    assert done.exit_code == 1
    assert "--only 0:0: no completed sale is lost?" in done.output
    told = json.loads((tmp_path / "result").read_text())
    assert [one["cut"] for one in told["findings"]] == ["0:0"]
    again = [*command, "--only", "0:0", "--keep", str(tmp_path / "kept")]
    assert CliRunner().invoke(cuts.app, again).exit_code == 1
    kept, was = (tmp_path / "kept").read_bytes(), shop.path.read_bytes()
    assert hashlib.sha256(kept).digest() == hashlib.sha256(was).digest()
    marks.write_text("sold two\n")
    done = CliRunner().invoke(cuts.app, command)
    assert done.exit_code == 2


def test_cuts_are_planned_the_same_way_and_hold_both_ends():
    plan = cuts.planned(500, 300, 1)
    assert plan == cuts.planned(500, 300, 1) != cuts.planned(500, 300, 2)
    assert len(plan) == 300
    assert {Cut(0, 0), Cut(500, 0)} <= set(plan)
    assert sum(not cut.seed for cut in plan) == 101
    assert plan == sorted(plan, key=lambda cut: (cut.boundary, cut.seed))
    assert cuts.planned(0, 5, 1) == [Cut(0, 0)]
