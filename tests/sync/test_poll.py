"""A kiosk looks for releases at a real web server that does all that servers do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import release_server as servers
from msgspec.structs import replace
from release_server import ReleaseServer, bundle_of

from kiosk.fleet.publish import PublishError, described, publish
from kiosk.machine import Release as Root
from kiosk.records.keys import SigningKey
from kiosk.updater.fetch import Patience, Trouble
from kiosk.updater.poll import (
    DOWNLOADS,
    KEPT_FREE,
    Delivered,
    Places,
    Poller,
    Refused,
    UpToDate,
    next_wait,
)

KEY = SigningKey.from_seed(b"f" * 32)
NOW = 1_793_716_320_000


class World:
    """A release folder, its server, and a kiosk that polls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.releases = folder / "releases"
        self.releases.mkdir()
        self.server = ReleaseServer(self.releases)
        self.places = Places(folder / "inbox", folder / "state")
        self.running = Root(release="1.2.3", hardware="x86-64-v1")
        self.free = 10 * 1024**3
        self.now_ms = NOW
        # Long, for a busy machine; tests of silence shorten it.
        self.answer_seconds = 10.0

    def poller(self, *keys: SigningKey) -> Poller:
        return Poller(
            self.server.url,
            tuple(key.public for key in keys or (KEY,)),
            self.running,
            self.places,
            patience=Patience(5, self.answer_seconds, 20),
            free=lambda _: self.free,
        )

    def look(self, *keys: SigningKey):
        """Poll once, as a process that was just started."""
        poller = self.poller(*keys)
        try:
            return poller.go_round()
        finally:
            poller.close()

    def publish(self, release: str = "1.3.0", hardware: str = "x86-64-v1"):
        self.now_ms += 60_000
        bundle = bundle_of(self.folder, release)
        return publish(
            bundle,
            self.releases,
            KEY,
            release=release,
            hardware=hardware,
            notes="Prices in Polish",
            now_ms=self.now_ms,
        )

    @property
    def inbox(self) -> list[str]:
        if not self.places.inbox.exists():
            return []
        return [path.name for path in self.places.inbox.iterdir() if path.is_file()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.server.close()


def test_a_newer_release_is_brought_to_the_inbox(world: World):
    announced = world.publish()
    outcome = world.look()
    assert isinstance(outcome, Delivered)
    assert outcome.path.read_bytes() == (world.folder / "1.3.0.swu").read_bytes()
    assert world.inbox == [announced.file_name]
    assert list((world.places.inbox / DOWNLOADS).iterdir()) == []


def test_a_release_is_handed_over_once(world: World):
    world.publish()
    outcome = world.look()
    assert isinstance(outcome, Delivered)
    # The updater took it, and it was a bad one: it is not fetched for ever.
    outcome.path.unlink()
    assert isinstance(world.look(), UpToDate)
    # Published anew, it is tried anew.
    world.publish()
    assert isinstance(world.look(), Delivered)


@pytest.mark.parametrize("release", ["1.2.3", "1.2.2", "1.2", "0.9.9.9"])
def test_an_older_release_is_left_where_it_is(world: World, release: str):
    world.publish(release)
    assert isinstance(world.look(), UpToDate)
    assert world.inbox == []


def test_ten_is_newer_than_nine(world: World):
    world.running = replace(world.running, release="1.9.0")
    world.publish("1.10.0")
    assert isinstance(world.look(), Delivered)


def test_a_machine_that_does_not_know_its_release_takes_none(world: World):
    world.running = replace(world.running, release="")
    world.publish()
    assert isinstance(world.look(), Refused)


def test_another_hardware_is_refused(world: World):
    world.publish(hardware="arm64-v2")
    assert isinstance(world.look(), Refused)
    assert world.inbox == []


def test_a_stranger_s_release_is_none(world: World):
    world.publish()
    stranger = SigningKey.from_seed(b"x" * 32)
    outcome = world.look(stranger)
    assert isinstance(outcome, Trouble)
    assert "not signed" in outcome.words
    assert world.inbox == []


def test_without_a_key_nothing_is_believed(world: World):
    world.publish()
    poller = Poller(world.server.url, (), world.running, world.places)
    assert isinstance(poller.go_round(), Trouble)
    poller.close()


def test_a_fleet_may_change_its_key(world: World):
    world.publish()
    assert isinstance(world.look(SigningKey.from_seed(b"n" * 32), KEY), Delivered)


def test_a_replayed_document_is_refused(world: World):
    world.publish("1.3.0")
    old = (world.releases / "release.json").read_bytes()
    world.publish("1.4.0")
    assert isinstance(world.look(), Delivered)
    (world.releases / "release.json").write_bytes(old)
    outcome = world.look()
    assert isinstance(outcome, Refused)
    assert "replay" in outcome.words


def test_a_document_that_was_changed_is_none(world: World):
    world.publish()
    path = world.releases / "release.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        )
        assert isinstance(world.look(), Trouble | Refused), place
    assert world.inbox == []


TROUBLES = [
    servers.fails,
    servers.is_missing,
    servers.log_in_page,
    servers.elsewhere,
    servers.half,
    servers.half_that_looks_whole,
    servers.too_long,
    servers.garbage,
]


@pytest.mark.parametrize("fault", TROUBLES, ids=lambda fault: fault.__name__)
def test_trouble_with_the_document_is_tried_again(world: World, fault):
    world.publish()
    world.server.fail("json", fault)
    assert isinstance(world.look(), Trouble)
    assert isinstance(world.look(), Delivered)


@pytest.mark.parametrize(
    "fault",
    [*TROUBLES, servers.another_file, servers.too_long_without_a_length],
    ids=lambda fault: fault.__name__,
)
def test_trouble_with_the_bundle_is_tried_again(world: World, fault):
    world.publish()
    world.server.fail("swu", fault)
    assert isinstance(world.look(), Trouble)
    assert world.inbox == []
    assert isinstance(world.look(), Delivered)


@pytest.mark.parametrize("suffix", ["json", "swu"])
def test_a_server_that_hangs_is_given_up(world: World, suffix: str):
    world.publish()
    world.server.fail(suffix, world.server.hang)
    world.answer_seconds = 0.3
    outcome = world.look()
    assert isinstance(outcome, Trouble)
    assert "not answer" in outcome.words or "cannot be reached" in outcome.words
    world.answer_seconds = 10
    assert isinstance(world.look(), Delivered)


def test_a_download_goes_on_where_it_broke_off(world: World):
    announced = world.publish()
    world.server.fail("swu", servers.half)
    world.look()
    [part] = (world.places.inbox / DOWNLOADS).iterdir()
    have = part.stat().st_size
    assert have > 0

    assert isinstance(world.look(), Delivered)

    assert world.server.asked[-1] == (announced.file_name, f"bytes={have}-")


@pytest.mark.parametrize(
    "fault",
    [servers.without_ranges, servers.another_part],
    ids=lambda fault: fault.__name__,
)
def test_a_server_that_resumes_badly_spoils_nothing(world: World, fault):
    world.publish()
    world.server.fail("swu", servers.half, fault)
    outcomes = [world.look() for _ in range(3)]
    assert any(isinstance(outcome, Delivered) for outcome in outcomes)
    [name] = world.inbox
    assert (world.places.inbox / name).read_bytes() == (
        world.folder / "1.3.0.swu"
    ).read_bytes()


def test_a_spoilt_part_is_thrown_away(world: World):
    world.publish()
    world.server.fail("swu", servers.half)
    world.look()
    [part] = (world.places.inbox / DOWNLOADS).iterdir()
    part.write_bytes(bytes(part.stat().st_size))

    assert isinstance(world.look(), Trouble)
    assert isinstance(world.look(), Delivered)


def test_what_is_left_of_an_older_download_makes_room(world: World):
    world.publish("1.3.0")
    world.server.fail("swu", servers.half)
    world.look()
    newest = world.publish("1.4.0")
    assert isinstance(world.look(), Delivered)
    assert world.inbox == [newest.file_name]
    assert list((world.places.inbox / DOWNLOADS).iterdir()) == []


def test_a_full_disk_is_left_alone(world: World):
    world.publish()
    world.free = KEPT_FREE + 1000
    outcome = world.look()
    assert isinstance(outcome, Trouble)
    assert "no room" in outcome.words
    assert [name for name, _ in world.server.asked] == ["release.json"]


def test_what_the_poller_remembered_may_be_lost(world: World):
    world.publish()
    world.look()
    (world.places.state_dir / "poll.json").write_bytes(b"\0" * 30)
    assert isinstance(world.look(), Delivered)


def test_kiosks_do_not_keep_step():
    random = Random(7)
    waits = [next_wait(UpToDate(""), 0, 3600, random) for _ in range(2000)]
    assert min(waits) < 30
    assert max(waits) > 7100
    assert 3400 < sum(waits) / len(waits) < 3800
    again = Random(7)
    assert waits[:5] == [next_wait(UpToDate(""), 0, 3600, again) for _ in range(5)]


def test_trouble_waits_longer_each_time_and_never_longer_than_a_poll():
    def longest(failures: int) -> float:
        random = Random(failures)
        return max(next_wait(Trouble("x"), failures, 3600, random) for _ in range(500))

    assert 100 < longest(1) <= 120 < longest(3) <= 480
    assert longest(60) <= 3600
    assert next_wait(Trouble("x", 4000), 1, 3600, Random(1)) == 4000


def test_the_number_rises_even_when_the_folder_was_lost(world: World):
    first = world.publish("1.3.0")
    (world.releases / "release.json").unlink()
    assert world.publish("1.4.0").sequence > first.sequence
    world.now_ms = 0
    assert world.publish("1.5.0").sequence > first.sequence + 1


def test_a_folder_is_one_key_s_and_one_hardware_s(world: World):
    world.publish()
    with pytest.raises(PublishError, match="folder of their own"):
        world.publish(hardware="arm64-v2")
    with pytest.raises(PublishError, match="the fleet's key"):
        publish(
            bundle_of(world.folder, "1.4.0"),
            world.releases,
            SigningKey.from_seed(b"x" * 32),
            release="1.4.0",
            hardware="x86-64-v1",
            notes="",
            now_ms=NOW,
        )


def test_a_bundle_says_what_it_is(world: World):
    said = described(bundle_of(world.folder, "1.3.0"))
    assert (said.release, said.hardware) == ("1.3.0", "x86-64-v1")


@pytest.mark.parametrize("content", [b"", b"PK", b"070701", b"070702" + b"z" * 200])
def test_what_is_no_bundle_is_not_published(tmp_path: Path, content: bytes):
    path = tmp_path / "x.swu"
    path.write_bytes(content)
    with pytest.raises(PublishError):
        described(path)
