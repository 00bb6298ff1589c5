"""What the caretaker does for each request, and what it says when it cannot."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import msgspec
import pytest
from simulated_outside import NOON_MS, SimulatedOutside, Stick

from kiosk.caretaker import network
from kiosk.caretaker.deeds import Caretaker
from kiosk.caretaker.logs import without_cards
from kiosk.caretaker.outside import StickAt
from kiosk.caretaker.places import Places
from kiosk.caretaker.words import (
    Answer,
    CopyBundle,
    ExportLogs,
    FactoryReset,
    Outcome,
    Request,
    Restart,
    SetNetwork,
    request_decoder,
)
from kiosk.domain import body as bodies
from kiosk.domain.effects import Fact, SaleMade
from kiosk.domain.events import HelpPressed
from kiosk.domain.network import NetworkSetting, problem
from kiosk.records.chain import Head
from kiosk.records.journal import Journal
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import file_name
from kiosk.sync.state import SyncState
from kiosk.ui.gallery import SALE
from kiosk.ui.service_deeds import NOT_DONE

OWN = NetworkSetting("enp1s0", "192.168.1.20/24", "192.168.1.1", ("192.168.1.1",))


@pytest.fixture
def places(tmp_path) -> Places:
    folders = {
        name: tmp_path / name
        for name in ("config", "defaults", "run", "networkd", "lane", "state", "inbox")
    }
    for folder in folders.values():
        folder.mkdir()
    return Places(**folders)


class Rig:
    """A caretaker on a machine that behaves."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.machine = SimulatedOutside()
        self.caretaker = Caretaker(self.machine, places)
        self.progress: list[int] = []

    def ask(self, request: Request, *sticks: Stick) -> Answer:
        self.machine.plugged = list(sticks)
        answer = self.caretaker.carry_out(request, self.progress.append)
        assert not self.machine.is_mounted
        assert not self.machine.are_let_in
        return answer

    def outcome(self, request: Request, *sticks: Stick) -> Outcome:
        return self.ask(request, *sticks).outcome


@pytest.fixture
def rig(places) -> Rig:
    return Rig(places)


# -- logs ------------------------------------------------------------------------


def test_the_logs_are_on_the_stick_packed_and_settled(rig):
    stick = Stick()
    answer = rig.ask(ExportLogs("9"), stick)

    (name,) = stick.files
    assert answer == Answer(Outcome.DONE, name)
    assert name.startswith("stillopen-logs-lane-2026")
    assert gzip.decompress(stick.files[name]).count(b"\n") == 300
    assert stick.settled == {f"{name}.part"}
    assert rig.machine.mounts == ["rw"]
    assert rig.progress


def test_without_a_stick_nothing_is_mounted(rig):
    assert rig.outcome(ExportLogs()) is Outcome.NO_STICK
    assert rig.machine.mounts == []


def test_of_two_sticks_none_is_taken(rig):
    other = Stick(at=StickAt("/dev/sdc1", "exfat"))
    assert rig.outcome(ExportLogs(), Stick(), other) is Outcome.SEVERAL_STICKS


def test_a_stick_with_too_little_room_is_not_begun(rig):
    stick = Stick(room=1000)
    assert rig.outcome(ExportLogs(), stick) is Outcome.STICK_FULL
    assert stick.files == {}


def test_a_stick_that_fills_up_keeps_no_half_file(rig):
    draw = random.Random(1)
    rig.machine.log = [
        json.dumps({"MESSAGE": draw.randbytes(500).hex()}).encode() for _ in range(500)
    ]
    stick = Stick({"holiday.jpg": b"x" * 1000}, room=60_000)
    assert rig.outcome(ExportLogs(), stick) is Outcome.STICK_FULL
    assert list(stick.files) == ["holiday.jpg"]


def test_a_stick_pulled_in_the_middle_is_said_to_be(rig):
    stick = Stick()
    stick.pulled_after = 20
    assert rig.outcome(ExportLogs(), stick) is Outcome.STICK_PULLED


def test_a_locked_stick_and_a_broken_one(rig):
    locked, broken = Stick(), Stick()
    locked.is_locked = broken.is_broken = True
    assert rig.outcome(ExportLogs(), locked) is Outcome.STICK_LOCKED
    assert rig.outcome(ExportLogs(), broken) is Outcome.STICK_UNREADABLE


def test_the_file_is_named_after_the_lane(rig):
    text = Path("ansible/roles/lane/files/lane.toml").read_text(encoding="utf-8")
    rig.places.lane_toml.write_text(text.replace('"lane-1"', '"corner-7"'))
    stick = Stick()
    rig.ask(ExportLogs(), stick)
    assert next(iter(stick.files)).startswith("stillopen-logs-corner-7-")


@pytest.mark.parametrize(
    "words",
    [
        "paid with 4111111111111111 today",
        "paid with 4111 1111 1111 1111",
        "paid with 4111-1111-1111-1111.",
        "378282246310005",
    ],
)
def test_what_looks_like_a_card_number_is_masked(words):
    line = without_cards(json.dumps({"MESSAGE": words}).encode())
    assert b"4111111111" not in line.replace(b" ", b"").replace(b"-", b"")
    assert b"3782822463" not in line
    assert b"[card ..." in line


def test_times_and_other_numbers_are_left_as_they_are():
    entry = {"__REALTIME_TIMESTAMP": "4111111111111111", "MESSAGE": "seq 123456"}
    assert json.loads(without_cards(json.dumps(entry).encode())) == entry


def test_bytes_that_are_no_text_are_left_out():
    line = without_cards(b'{"MESSAGE":[52,49,49,49]}')
    assert json.loads(line)["MESSAGE"] == "[not text, left out]"
    assert b"4111" not in without_cards(b"4111111111111111 is no JSON")


# -- updates ---------------------------------------------------------------------


def test_the_one_bundle_is_copied_into_the_inbox(rig):
    content = random.Random(1).randbytes(5000)
    stick = Stick({"lane-1.5.0.swu": content, "readme.txt": b"hello"})
    assert rig.ask(CopyBundle("9"), stick) == Answer(Outcome.DONE, "lane-1.5.0.swu")
    assert (rig.places.inbox / "lane-1.5.0.swu").read_bytes() == content
    assert rig.machine.mounts == ["ro"]
    assert rig.progress[-1] == 5000


def test_no_bundle_or_several_are_not_guessed_about(rig):
    assert rig.outcome(CopyBundle(), Stick({"a.txt": b""})) is Outcome.NO_BUNDLE
    two = Stick({"a.swu": b"1", "b.SWU": b"2"})
    assert rig.outcome(CopyBundle(), two) is Outcome.SEVERAL_BUNDLES
    assert list(rig.places.inbox.iterdir()) == []


def test_what_another_system_left_beside_the_bundle_is_no_bundle(rig):
    stick = Stick({"a.swu": b"1", "._a.swu": b"2"})
    assert rig.outcome(CopyBundle(), stick) is Outcome.DONE


def test_a_stick_pulled_while_copying_leaves_nothing_in_the_inbox(rig):
    stick = Stick({"a.swu": b"x" * 10_000})
    stick.pulled_after = 4000
    assert rig.outcome(CopyBundle(), stick) is Outcome.STICK_PULLED
    assert list(rig.places.inbox.iterdir()) == []


def test_a_name_with_anything_odd_in_it_is_not_kept(rig):
    stick = Stick({"../../etc/$(reboot) ü.swu": b"1"})
    assert rig.ask(CopyBundle(), stick).detail == "from-a-stick.swu"
    assert [path.name for path in rig.places.inbox.iterdir()] == ["from-a-stick.swu"]


def test_an_inbox_that_is_not_there_is_not_the_sticks_fault(rig):
    rig.places.inbox.rmdir()
    stick = Stick({"a.swu": b"1"})
    assert rig.outcome(CopyBundle(), stick) is Outcome.FAILED


# -- network ---------------------------------------------------------------------


def test_a_fixed_address_is_set_now_and_for_later(rig):
    assert rig.outcome(SetNetwork("9", OWN)) is Outcome.DONE
    assert network.from_toml(rig.places.network_toml.read_text()) == OWN
    unit = rig.places.network_unit.read_text().splitlines()
    assert "Name=enp1s0" in unit
    assert "Address=192.168.1.20/24" in unit
    assert "Gateway=192.168.1.1" in unit
    assert "DNS=192.168.1.1" in unit
    assert rig.machine.reloads == 1


def test_back_to_dhcp(rig):
    rig.ask(SetNetwork("9", OWN))
    assert rig.outcome(SetNetwork("9", NetworkSetting("enp1s0"))) is Outcome.DONE
    assert "DHCP=ipv4" in rig.places.network_unit.read_text()
    assert "\nAddress=" not in rig.places.network_unit.read_text()


def test_dhcp_for_one_card_leaves_the_address_of_another(rig):
    rig.ask(SetNetwork("9", OWN))
    assert rig.outcome(SetNetwork("9", NetworkSetting("enp2s0"))) is Outcome.DONE
    assert network.from_toml(rig.places.network_toml.read_text()) == OWN


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        (NetworkSetting("enp1s0\nAddress=1.2.3.4"), "interface"),
        (NetworkSetting("../etc"), "interface"),
        (NetworkSetting(""), "interface"),
        (NetworkSetting("e", "192.168.1.300/24"), "address"),
        (NetworkSetting("e", "127.0.0.1/24"), "address"),
        (NetworkSetting("e", "169.254.1.1/24"), "address"),
        (NetworkSetting("e", "224.0.0.1/24"), "address"),
        (NetworkSetting("e", "192.168.1.0/24"), "address"),
        (NetworkSetting("e", "192.168.1.255/24"), "address"),
        (NetworkSetting("e", "192.168.1.2"), "prefix"),
        (NetworkSetting("e", "192.168.1.2/31"), "prefix"),
        (NetworkSetting("e", "192.168.1.2/0"), "prefix"),
        (NetworkSetting("e", "192.168.1.2/²"), "prefix"),
        (NetworkSetting("e", "192.168.1.2/255.255.255.0"), "prefix"),
        (NetworkSetting("e", "192.168.1.2/24", "192.168.2.1"), "gateway"),
        (NetworkSetting("e", "192.168.1.2/24", "192.168.1.2"), "gateway"),
        (NetworkSetting("e", "192.168.1.2/24", "x"), "gateway"),
        (NetworkSetting("e", "", "192.168.1.1"), "gateway"),
        (NetworkSetting("e", "192.168.1.2/24", "", ("1.1.1",)), "names"),
        (NetworkSetting("e", "192.168.1.2/24", "", ("1.1.1.1",) * 4), "names"),
        (NetworkSetting("e", "", "", ("1.1.1.1",)), "names"),
    ],
)
def test_what_cannot_be_set_is_named(setting, wrong):
    assert problem(setting) == wrong


def test_what_cannot_be_is_not_set(rig):
    bad = NetworkSetting("enp1s0", "192.168.1.20/24", "192.168.2.1")
    assert rig.outcome(SetNetwork("9", bad)) is Outcome.BAD_NETWORK
    other = NetworkSetting("wlan0", "192.168.1.20/24")
    assert rig.outcome(SetNetwork("9", other)) is Outcome.BAD_NETWORK
    assert not rig.places.network_toml.exists()
    assert rig.machine.reloads == 0


def test_a_networkd_that_does_not_answer_is_said(rig):
    rig.machine.is_networkd_broken = True
    assert rig.outcome(SetNetwork("9", OWN)) is Outcome.FAILED


# -- the whole machine -----------------------------------------------------------


def journal(rig: Rig, *facts: tuple[Fact, ...]) -> list[Head]:
    """Write a journal of so many entries with these facts; return each head."""
    folder = rig.places.lane / "journal"
    folder.mkdir()
    heads = []
    path = folder / file_name(1)
    key = SigningKey.from_seed(b"k" * 32)
    with Journal.create(path, lane_id="lane-1", epoch="e1", key=key) as written:
        for of_entry in facts:
            body = bodies.encode(HelpPressed(), of_entry)
            entry = written.append(
                "HelpPressed", body, at_ms=NOON_MS, mono_ms=1, boot_id="b"
            )
            heads.append(Head(entry.seq, entry.digest))
    return heads


def acknowledge(rig: Rig, head: Head) -> None:
    folder = rig.places.lane / "sync"
    folder.mkdir()
    (folder / "sync.json").write_bytes(msgspec.json.encode(SyncState(head)))


def test_a_machine_that_sold_nothing_is_reset(rig):
    assert rig.outcome(FactoryReset("9")) is Outcome.DONE
    mark = json.loads(rig.places.reset_mark.read_bytes())
    assert mark == {"lane_id": "lane", "attendant": "9", "at_ms": NOON_MS}
    assert rig.machine.restarts == 0
    rig.caretaker.finish()
    assert rig.machine.restarts == 1


def test_an_unsent_sale_forbids_the_reset(rig):
    journal(rig, (), (SaleMade(SALE),))
    assert rig.ask(FactoryReset("9")) == Answer(Outcome.UNSENT_SALES, "1")
    assert not rig.places.reset_mark.exists()
    rig.caretaker.finish()
    assert rig.machine.restarts == 0


def test_a_sale_that_the_back_office_holds_does_not(rig):
    heads = journal(rig, (), (SaleMade(SALE),), ())
    acknowledge(rig, heads[1])
    assert rig.outcome(FactoryReset("9")) is Outcome.DONE


def test_another_journals_acknowledgement_proves_nothing(rig):
    journal(rig, (), (SaleMade(SALE),), ())
    acknowledge(rig, Head(2, "f" * 64))
    assert rig.outcome(FactoryReset("9")) is Outcome.UNSENT_SALES


def test_an_acknowledgement_beyond_the_end_proves_nothing(rig):
    journal(rig, (SaleMade(SALE),))
    acknowledge(rig, Head(99, "f" * 64))
    assert rig.outcome(FactoryReset("9")) is Outcome.UNSENT_SALES


def test_a_damaged_journal_forbids_the_reset(rig):
    journal(rig, (SaleMade(SALE),))
    (path,) = (rig.places.lane / "journal").glob("*.db")
    path.write_bytes(b"no database")
    assert rig.outcome(FactoryReset("9")) is Outcome.UNSENT_SALES


def test_a_state_partition_that_takes_no_mark_restarts_nothing(rig):
    rig.places.state.rmdir()
    assert rig.outcome(FactoryReset("9")) is Outcome.FAILED
    rig.caretaker.finish()
    assert rig.machine.restarts == 0


def test_a_restart_is_ordered_once(rig):
    assert rig.outcome(Restart("9")) is Outcome.DONE
    rig.caretaker.finish()
    rig.caretaker.finish()
    assert rig.machine.restarts == 1


# -- the list is closed ------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"type":"Shell","words":["id"]}',
        b'{"type":"Restart","now":true}',
        b'{"type":"ExportLogs","device":"/dev/sda1"}',
        b'{"type":"SetNetwork","setting":{"interface":5}}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_anything_else_is_no_request(line):
    with pytest.raises((msgspec.DecodeError, RecursionError)):
        request_decoder.decode(line)


def test_the_screen_has_words_for_every_outcome():
    assert {o.value for o in Outcome} - {"done"} <= set(NOT_DONE)
