"""The technician's desk: deeds through the caretaker's socket, and what is read."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from simulated_outside import NOON_MS, SimulatedOutside, Stick

from kiosk import readings
from kiosk.caretaker import network, server
from kiosk.caretaker.deeds import Caretaker
from kiosk.caretaker.places import Places
from kiosk.domain import body as bodies
from kiosk.domain.effects import SaleMade, Serve
from kiosk.domain.events import DeviceChanged, HelpPressed
from kiosk.domain.network import NetworkSetting
from kiosk.domain.state import Idle, Lane, Servicing
from kiosk.machine import Machine, Release, TrialStep, Update
from kiosk.records.attestation import read
from kiosk.records.chain import Head
from kiosk.records.journal import Journal
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import file_name
from kiosk.servicing import Desk, Trial
from kiosk.sync.state import SyncState
from kiosk.ui.gallery import SALE
from kiosk.ui.service import UPDATE_PHASES, UPDATE_REASONS
from kiosk.updater.store import Phase
from kiosk.updater.words import Reason

KEY = SigningKey.from_seed(b"k" * 32)
HEAD = Head(901, "ab" * 32)
ROOT = "4f" * 32
SHOWN = Lane(mode=Servicing("9", Idle()))


class Watch:
    """A clock that obeys."""

    def __init__(self) -> None:
        self.at = NOON_MS

    def now_ms(self) -> int:
        return self.at

    def mono_ms(self) -> int:
        return self.at


class Trying:
    """A terminal's trial that goes as it is told."""

    def __init__(
        self, run: Callable[[Callable[[TrialStep], None]], tuple[str, str]]
    ) -> None:
        self.run = run

    def stop(self) -> tuple[str, str]:
        return "done", "stopped"

    def forget(self) -> tuple[str, str]:
        return "done", "forgotten"


class Room:
    """A desk, its clock, and the folders it reads."""

    def __init__(self, folder: Path, trial: Trial | None = None) -> None:
        self.folder = folder
        self.clock = Watch()
        self.known: queue.Queue[Machine] = queue.Queue()
        self.sources = readings.Sources(
            release=folder / "release",
            cmdline=folder / "cmdline",
            update=folder / "status.json",
            network=folder / "network.toml",
            cards=folder / "net",
            routes=folder / "route",
            resolvers=(folder / "resolv.conf",),
        )
        self.sources.release.write_text(
            'RELEASE="1.4.2"\nVARIANT=development\nHARDWARE=x86-64-v1\nBUILD=9b1f\n'
        )
        self.sources.cmdline.write_text(f"quiet stillopen.roothash={ROOT} ro\n")
        self.socket = folder / "socket"
        self.desk = Desk(
            lane_id="lane-3",
            state=folder,
            release="0.1.0",
            drivers={"printer": {"driver": "escpos_usb"}, "ups": {"driver": "none"}},
            has_office=True,
            key=KEY,
            head=lambda: HEAD,
            catalog_ms=lambda: NOON_MS - 60_000,
            clock=self.clock,
            trial=trial,
            sources=self.sources,
            socket=self.socket,
        )

    def sell(self, count: int) -> list[Head]:
        folder = self.folder / "journal"
        folder.mkdir()
        path = folder / file_name(1)
        heads = []
        with Journal.create(path, lane_id="lane-3", epoch="e1", key=KEY) as journal:
            for _ in range(count):
                body = bodies.encode(HelpPressed(), (SaleMade(SALE),))
                entry = journal.append(
                    "HelpPressed", body, at_ms=NOON_MS, mono_ms=1, boot_id="b"
                )
                heads.append(Head(entry.seq, entry.digest))
        return heads

    def acknowledge(self, head: Head) -> None:
        (self.folder / "sync").mkdir(exist_ok=True)
        told = msgspec.json.encode(SyncState(head))
        (self.folder / "sync" / "sync.json").write_bytes(told)


@pytest.fixture
def room(tmp_path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.desk.close()


@contextmanager
def caretaker(room: Room, machine: SimulatedOutside) -> Iterator[None]:
    with closing(server.listen(room.socket)) as listening:
        thread = threading.Thread(
            target=server.serve,
            args=(listening, Caretaker(machine, Places()), {os.getuid()}),
            kwargs={"idle_seconds": 0.2},
        )
        thread.start()
        yield
        thread.join(timeout=10)


# -- deeds -----------------------------------------------------------------------


def test_logs_go_through_the_caretaker_and_their_progress_to_the_screen(room):
    room.desk.start(room.known.put)
    with caretaker(room, SimulatedOutside(Stick())):
        ended = room.desk.serve(Serve("logs", 77, "9"))
    assert (ended.deed, ended.asked, ended.outcome) == ("logs", 77, "done")
    assert ended.detail.startswith("stillopen-logs-")
    told = [room.known.get_nowait().done_bytes for _ in range(room.known.qsize())]
    assert max(told) > 0
    assert told[-1] == 0


def test_what_the_caretaker_cannot_do_is_the_deeds_outcome(room):
    with caretaker(room, SimulatedOutside()):
        assert room.desk.serve(Serve("update", 77, "9")).outcome == "no_stick"


def test_a_machine_without_a_caretaker_says_so(room):
    assert room.desk.serve(Serve("restart", 77, "9")).outcome == "no_caretaker"


def test_a_trial_is_told_step_by_step_and_needs_no_caretaker(tmp_path):
    def steps(say: Callable[[TrialStep], None]) -> tuple[str, str]:
        say(TrialStep("amount", "", 100, "EUR"))
        say(TrialStep("card"))
        return "trial_not_approved", "declined"

    room = Room(tmp_path, Trying(steps))
    room.desk.start(room.known.put)
    ended = room.desk.serve(Serve("try_terminal", 77, "9"))
    assert (ended.asked, ended.outcome, ended.detail) == (
        77,
        "trial_not_approved",
        "declined",
    )
    told = [room.known.get_nowait().trial for _ in range(room.known.qsize())]
    assert [step.code for step in max(told, key=len)] == ["amount", "card"]
    assert told[-1] == ()
    assert room.desk.serve(Serve("stop_trial", 78, "9")).detail == "stopped"
    assert room.desk.serve(Serve("forget_trial", 79, "9")).detail == "forgotten"
    room.desk.close()


def test_a_desk_without_a_terminal_says_so(room):
    for deed in ("try_terminal", "stop_trial", "forget_trial"):
        assert room.desk.serve(Serve(deed, 77, "9")).outcome == "no_caretaker"


def test_the_attestation_is_signed_over_what_runs(room):
    ended = room.desk.serve(Serve("attest", 77, "9"))
    code, _, short = ended.detail.partition(" ")
    told, is_good = read(code, KEY.public)
    assert is_good
    assert (told.lane_id, told.release, told.root_hash.hex()) == (
        "lane-3",
        "1.4.2",
        ROOT,
    )
    assert (told.seq, told.digest.hex(), told.at_ms) == (901, "ab" * 32, NOON_MS)
    assert "901:abababab" in short


# -- readings ----------------------------------------------------------------------


def test_the_release_is_read_from_the_root(room):
    assert room.desk.machine.release == Release(
        "1.4.2", "development", "9b1f", "x86-64-v1", ROOT
    )


def test_a_root_hash_that_is_none_is_left_out(room):
    room.sources.cmdline.write_text("stillopen.roothash=../../etc")
    assert readings.release(room.sources).root_hash == ""


def test_a_word_that_firmware_adds_names_no_other_root(room):
    room.sources.cmdline.write_text(
        f"stillopen.roothash={ROOT} stillopen.roothash={'0' * 64}\n"
    )
    assert readings.release(room.sources).root_hash == ROOT


def test_a_developers_machine_has_little_to_say(room):
    for path in (room.sources.release, room.sources.cmdline):
        path.unlink()
    assert readings.release(room.sources) == Release()
    assert readings.cards(room.sources) == ()
    assert readings.update(room.sources) == Update()


def test_the_updaters_word_is_read_whatever_else_it_says(room):
    status = {
        "phase": "refused",
        "release": "1.5.0",
        "running_release": "1.4.2",
        "reason": "wrong_key",
        "words": "The update is signed with another key.",
        "failed": {},
        "at_ms": NOON_MS,
    }
    room.sources.update.write_text(json.dumps(status))
    told = room.desk.look().update
    assert (told.phase, told.release, told.reason) == ("refused", "1.5.0", "wrong_key")
    room.sources.update.write_text("{")
    assert room.desk.look().update == Update()


def test_the_last_trouble_of_a_device_stays_when_it_works_again(room):
    room.desk.heard(DeviceChanged("printer", "absent", "out of paper"))
    room.clock.at += 60_000
    room.desk.heard(DeviceChanged("printer", "ready"))
    (printer,) = (d for d in room.desk.look().devices if d.name == "printer")
    assert (printer.driver, printer.health) == ("escpos_usb", "ready")
    assert (printer.trouble, printer.trouble_ms) == ("out of paper", NOON_MS)


def test_the_queue_is_what_the_back_office_does_not_hold(room):
    heads = room.sell(3)
    assert room.desk.unsent_sales() == 3
    room.acknowledge(heads[1])
    queued = room.desk.look().queue
    assert (queued.entries, queued.sales, queued.oldest_ms) == (1, 1, NOON_MS)
    room.acknowledge(heads[2])
    assert room.desk.unsent_sales() == 0


def test_a_journal_that_cannot_be_read_is_not_an_empty_queue(room):
    room.sell(1)
    (path,) = (room.folder / "journal").glob("*.db")
    path.write_bytes(b"no database at all")
    assert room.desk.unsent_sales() == -1
    assert room.desk.look().queue.entries == -1


def test_the_last_contact_is_kept_when_the_line_goes(room):
    room.desk.office_seen(True)
    room.clock.at += 60_000
    room.desk.office_seen(False)
    room.clock.at += 60_000
    assert room.desk.look().queue.contact_ms == NOON_MS + 60_000


def test_nothing_is_read_until_the_service_screen_is_shown(room):
    room.desk.start(room.known.put)
    room.desk.follow(Lane(mode=Idle()))
    assert room.known.empty()
    room.desk.follow(SHOWN)
    machine = room.known.get(timeout=10)
    assert machine.lane_id == "lane-3"
    assert machine.catalog_ms == NOON_MS - 60_000


def test_network_cards_are_read_as_the_kernel_has_them(room):
    card = room.sources.cards / "enp1s0"
    (card / "device").mkdir(parents=True)
    (card / "type").write_text("1\n")
    (card / "carrier").write_text("1\n")
    (room.sources.cards / "lo").mkdir()
    (room.sources.cards / "lo" / "type").write_text("772\n")
    setting = NetworkSetting("enp1s0", "192.168.1.20/24")
    room.sources.network.write_text(network.to_toml(setting))
    room.sources.routes.write_text(
        "Iface\tDestination\tGateway\tFlags\n"
        "enp1s0\t0001A8C0\t00000000\t0001\n"
        "enp1s0\t00000000\t0101A8C0\t0003\n"
    )
    (found,) = readings.cards(room.sources)
    assert (found.name, found.gateway) == ("enp1s0", "192.168.1.1")
    assert found.has_link
    assert found.is_fixed


def test_the_screen_has_words_for_everything_the_updater_says():
    assert set(UPDATE_PHASES) == {phase.value for phase in Phase}
    assert set(UPDATE_REASONS) == {reason.value for reason in Reason}
