"""The image's stages and its lock, without building anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from imagebuild import bundle, packages
from imagebuild.stage import BuildError, Stage, mounts_under, remove, run

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("imagebuild.stage.CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def stage(given: Path, made: list[str], name: str = "one") -> Stage:
    def make(folder: Path) -> None:
        made.append(name)
        (folder / "result").write_text(given.read_text())

    return Stage(name, make, [given])


def test_a_stage_is_made_once_for_the_same_inputs(cache, tmp_path):
    given = tmp_path / "given"
    made: list[str] = []
    given.write_text("a")
    first = stage(given, made).done()
    assert stage(given, made).done() == first
    assert made == ["one"]


def test_a_changed_input_makes_it_and_all_that_follow_anew(cache, tmp_path):
    given = tmp_path / "given"
    made: list[str] = []
    given.write_text("a")
    before = Stage("two", lambda folder: None, [stage(given, made)]).key
    stage(given, made).done()
    given.write_text("b")
    assert (stage(given, made).done() / "result").read_text() == "b"
    assert made == ["one", "one"]
    assert Stage("two", lambda folder: None, [stage(given, made)]).key != before
    assert len(list(cache.glob("one-*"))) == 1


def test_what_was_left_half_made_is_not_taken_for_whole(cache, tmp_path):
    def break_off(folder: Path) -> None:
        (folder / "half").touch()
        raise BuildError("the disk is full")

    broken = Stage("one", break_off, ["x"])
    with pytest.raises(BuildError):
        broken.done()
    whole = Stage("one", lambda folder: None, ["x"]).done()
    assert list(whole.iterdir()) == []


def test_what_a_killed_build_left_mounted_is_found_the_innermost_first(tmp_path):
    table = (
        f"devtmpfs {tmp_path}/one/dev devtmpfs rw 0 0\n"
        f"devpts {tmp_path}/one/dev/pts devpts rw 0 0\n"
        f"devtmpfs {tmp_path}/oneself/dev devtmpfs rw 0 0\n"
        "proc /proc proc rw 0 0\n"
    )
    found = mounts_under(tmp_path / "one", table)
    assert found == [f"{tmp_path}/one/dev/pts", f"{tmp_path}/one/dev"]


def test_nothing_is_removed_while_something_is_mounted_in_it(tmp_path, monkeypatch):
    tree, table = tmp_path / "tree", tmp_path / "mounts"
    (tree / "dev").mkdir(parents=True)
    (tree / "dev/null").touch()
    table.write_text(f"devtmpfs {tree}/dev devtmpfs rw 0 0\n")
    monkeypatch.setattr("imagebuild.stage.MOUNTS", table)
    with pytest.raises(BuildError):
        remove(tree)
    assert (tree / "dev/null").exists()
    table.write_text("")
    remove(tree)
    assert not tree.exists()


def test_a_program_that_fails_says_what_it_said():
    with pytest.raises(BuildError, match="No such file"):
        run(["ls", "/there-is-no-such-folder"])


def test_the_lock_names_each_file_by_its_hash_and_no_archive():
    lines = packages.LOCK.read_text().splitlines()
    assert len(lines) > 200
    for line in lines:
        _, version, architecture, sha, size, place = line.split(" ")
        assert re.fullmatch(r"[0-9a-f]{64}", sha)
        assert int(size) > 0
        assert version
        assert architecture in ("amd64", "all")
        assert place.startswith("pool/")
    locked = {line.split(" ")[0] for line in lines}
    assert set(packages.names()) <= locked


def test_the_lanes_packages_are_locked_without_an_address():
    told = (PROJECT / "image-build" / "lock" / "lane.lock").read_text()
    assert "://" not in told
    assert "--hash=sha256:" in told


def test_a_bundle_that_has_grown_too_big_stops_the_build(tmp_path):
    target = tmp_path / "stillopen-1.swu"
    target.write_bytes(b"x" * 11)
    bundle.small_enough(target)
    with pytest.raises(BuildError, match=r"stillopen-1\.swu has"):
        bundle.small_enough(target, most=10)
