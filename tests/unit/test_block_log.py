"""The block-write log: read as it was written, replayed to any point, and put back."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cut_disks import FLUSHED, SECTOR, discarded, write_log, written
from imagebuild.blocklog import FUA, MARK, BlockLog, Cut, Disk, LogError

A, B, C = (bytes([letter]) * SECTOR for letter in b"ABC")


@pytest.fixture
def made(tmp_path):
    """A log of these entries, and a disk of 64 KiB full of dots."""

    def make(*entries):
        log = BlockLog(write_log(tmp_path / "log", entries))
        (tmp_path / "disk").write_bytes(b"." * 65536)
        return log, Disk(tmp_path / "disk", log)

    return make


def content(disk, begin=0, count=1):
    return disk.path.read_bytes()[begin * SECTOR : (begin + count) * SECTOR]


def test_writes_up_to_a_boundary_are_there_and_later_ones_not(made):
    log, disk = made(written(0, A), FLUSHED, written(0, B), written(512, C), FLUSHED)
    assert log.last == 2
    disk.advance(1)
    assert content(disk, 0, 2) == A + b"." * SECTOR
    disk.advance(2)
    assert content(disk, 0, 2) == B + C


def test_a_flush_of_nothing_is_no_boundary(made):
    log, _ = made(FLUSHED, written(0, A), FLUSHED, FLUSHED, written(0, B))
    assert log.last == 2
    assert [len(log.window(n)) for n in range(3)] == [1, 1, 0]


def test_a_boundary_knows_how_long_the_log_was(made):
    log, _ = made(written(0, A), FLUSHED, written(0, B))
    assert log.position(0) == SECTOR
    # Super block, an entry with a sector, the flush.
    assert log.position(1) == 4 * SECTOR
    assert log.position(2) == 6 * SECTOR


def test_a_write_that_comes_with_a_flush_is_not_covered_by_it(made):
    log, disk = made(written(0, A), (1, 1, 1, B), written(1024, C), FLUSHED)
    disk.advance(1)
    assert content(disk, 0, 3) == A + b"." * 2 * SECTOR
    assert [write.begin for write in log.window(1)] == [512, 1024]


def test_what_was_given_up_reads_as_zeros_and_comes_back(made):
    log, disk = made(discarded(0, 8192), FLUSHED)
    seed = next(s for s in range(1, 99) if log.kept(Cut(0, s)))
    before = disk.path.read_bytes()
    disk.cut(Cut(0, seed))
    assert b"\0" * SECTOR in disk.path.read_bytes()
    disk.put_back()
    assert disk.path.read_bytes() == before
    disk.advance(1)
    assert content(disk, 0, 16) == bytes(8192)


def test_a_cut_differs_only_by_sectors_of_later_writes_and_is_put_back(made):
    later = [written(at * SECTOR, B * 4) for at in (0, 2, 40)]
    _log, disk = made(written(0, A), FLUSHED, *later, FLUSHED, written(8192, C))
    disk.advance(1)
    before = disk.path.read_bytes()
    seen = set()
    for seed in range(200):
        disk.cut(Cut(1, seed))
        after = disk.path.read_bytes()
        for at in range(0, 65536, SECTOR):
            sector = after[at : at + SECTOR]
            assert sector in (before[at : at + SECTOR], B)
        assert C not in after
        seen.add(after)
        disk.put_back()
        assert disk.path.read_bytes() == before
    assert before in seen
    # All fates of three writes, torn ones too.
    assert len(seen) > 40
    torn = [one for one in seen if 0 < one[40 * SECTOR : 44 * SECTOR].count(B) < 4]
    assert torn


def test_a_disk_that_writes_four_kib_at_once_tears_only_between_them(tmp_path):
    log = BlockLog(write_log(tmp_path / "log", [written(3 * SECTOR, B * 30)]), 4096)
    seen = {tuple(sectors) for s in range(1, 300) for _, sectors in log.kept(Cut(0, s))}
    # Sectors 3 to 32 of the disk: its blocks begin at 8, 16, 24 and 32.
    for sectors in seen:
        for edge in range(1, 30):
            if (edge in sectors) != (edge - 1 in sectors):
                assert (edge + 3) % 8 == 0
    assert len(seen) > 10


def test_the_same_cut_is_the_same_again(made):
    log, _ = made(*[written(at * SECTOR, B) for at in range(40)], FLUSHED)
    kept = [[w.begin for w, _ in log.kept(Cut(0, seed))] for seed in (7, 7, 8)]
    assert kept[0] == kept[1] != kept[2]
    assert log.kept(Cut(0, 0)) == []


def test_a_write_with_force_unit_access_is_lost_only_in_flight(made):
    sure = written(0, A, FUA)
    _log, disk = made(sure, written(512, B), written(1024, B), FLUSHED)
    lost = 0
    for seed in range(1, 200):
        disk.cut(Cut(0, seed))
        if content(disk) != A:
            # Only while nothing after it had been issued.
            assert content(disk, 1, 2) == b"." * 2 * SECTOR
            lost += 1
        disk.put_back()
    assert lost


def test_the_disk_does_not_go_back_nor_cut_elsewhere(made):
    _, disk = made(written(0, A), FLUSHED, written(0, B), FLUSHED)
    disk.advance(1)
    with pytest.raises(ValueError, match="behind"):
        disk.advance(0)
    with pytest.raises(ValueError, match="boundary 1"):
        disk.cut(Cut(0, 1))


def test_a_mark_is_passed_over(made):
    log, _ = made(written(0, A), (0, 0, MARK, b""), written(0, B), FLUSHED)
    assert [write.begin for write in log.window(0)] == [0, 0]


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (lambda raw: b"", "empty"),
        (lambda raw: raw[:20], "too short"),
        (lambda raw: b"x" + raw[1:], "no block-write log"),
        (lambda raw: raw[:24] + b"\x07\0\0\0" + raw[28:], "sectors of 7"),
        (lambda raw: raw[: 2 * SECTOR], "within entry 0"),
        (lambda raw: raw[: 3 * SECTOR], "before entry 1"),
    ],
)
def test_a_log_that_is_not_whole_is_refused(tmp_path, spoilt, words):
    path = write_log(tmp_path / "log", [written(0, A), written(0, B)])
    path.write_bytes(spoilt(path.read_bytes()))
    with pytest.raises(LogError, match=words):
        BlockLog(path)


@pytest.mark.skipif(not shutil.which("qemu-io"), reason="qemu-io is not installed")
def test_what_qemu_logs_is_read(tmp_path):
    (tmp_path / "base").write_bytes(b"." * 65536)
    shutil.copy(tmp_path / "base", tmp_path / "disk")
    (tmp_path / "log").touch()
    options = (
        f"driver=blklogwrites,file.driver=file,file.filename={tmp_path / 'disk'}"
        f",log.driver=file,log.filename={tmp_path / 'log'},log-sector-size=512"
    )
    orders = ("write -P 65 0 4k", "flush", "write -P 66 1k 512", "write -z 8k 4k")
    words = [word for order in orders for word in ("-c", order)]
    done = subprocess.run(
        ["qemu-io", "--image-opts", options, *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    log = BlockLog(tmp_path / "log")
    disk = Disk(tmp_path / "base", log)
    disk.advance(1)
    assert disk.path.read_bytes()[:8192] == b"A" * 4096 + b"." * 4096
    disk.advance(log.last)
    assert disk.path.read_bytes() == (tmp_path / "disk").read_bytes()
    assert content(disk, 2) == b"B" * SECTOR
