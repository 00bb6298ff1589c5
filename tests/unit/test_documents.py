"""Small documents, the signed roster, PINs and keys."""

import json
import os
import stat

import msgspec
import pytest

from kiosk.records.disk import Ballast, replace_file, room_for_a_basket
from kiosk.records.documents import (
    Attendant,
    DeviceChoice,
    DocumentDamaged,
    Documents,
    Roster,
    RosterRefused,
    sign_roster,
)
from kiosk.records.keys import (
    KeyFileError,
    LaneKey,
    SigningKey,
    device_secret,
    is_signed,
    load_public_key,
)
from kiosk.records.pins import WeakPin, check_pin, hash_pin, weakness

OFFICE = SigningKey.from_seed(b"o" * 32)
ANA = Attendant("101", "Ana", ("approve", "void"), "$argon2id$one")
BEN = Attendant("102", "Ben", ("approve",), "$argon2id$two")


@pytest.fixture
def documents(tmp_path):
    return Documents(tmp_path)


# -- roster ------------------------------------------------------------------


def test_a_lane_without_a_roster_has_none(documents):
    assert documents.load_roster(OFFICE.public) is None


def test_a_roster_is_read_back_as_the_back_office_signed_it(documents):
    roster = sign_roster(3, (ANA, BEN), OFFICE)
    documents.save_roster(roster, OFFICE.public)
    held = documents.load_roster(OFFICE.public)
    assert held == roster
    assert held.attendant("102") == BEN
    assert held.attendant("103") is None


def test_a_newer_roster_takes_the_place_of_the_older(documents):
    documents.save_roster(sign_roster(3, (ANA, BEN), OFFICE), OFFICE.public)
    newer = sign_roster(4, (BEN,), OFFICE)
    documents.save_roster(newer, OFFICE.public)
    assert documents.load_roster(OFFICE.public) == newer


@pytest.mark.parametrize("version", [2, 3])
def test_a_roster_that_is_not_newer_is_refused(documents, version):
    held = sign_roster(3, (ANA,), OFFICE)
    documents.save_roster(held, OFFICE.public)
    with pytest.raises(RosterRefused, match="not newer"):
        documents.save_roster(sign_roster(version, (BEN,), OFFICE), OFFICE.public)
    assert documents.load_roster(OFFICE.public) == held


def test_the_same_roster_twice_is_harmless(documents):
    roster = sign_roster(3, (ANA,), OFFICE)
    documents.save_roster(roster, OFFICE.public)
    documents.save_roster(roster, OFFICE.public)
    assert documents.load_roster(OFFICE.public) == roster


def test_an_old_roster_put_back_is_refused_by_the_version_the_journal_knows(documents):
    documents.save_roster(sign_roster(3, (ANA,), OFFICE), OFFICE.public)
    with pytest.raises(RosterRefused, match="version 4 was in use already"):
        documents.load_roster(OFFICE.public, at_least=4)


def edited(tmp_path, change):
    path = tmp_path / "roster.json"
    document = json.loads(path.read_text())
    change(document["roster"]["1"])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row["attendants"].append(msgspec.to_builtins(BEN)),
        lambda row: row["attendants"][0]["roles"].append("technician"),
        lambda row: row["attendants"][0].update(pin_hash="$argon2id$mine"),
        lambda row: row["attendants"][0].update(attendant_id="999"),
        lambda row: row["attendants"][0].update(roles=["approvevoid"]),
        lambda row: row.update(version=9),
        lambda row: row.update(attendants=[]),
        lambda row: row.update(signature=""),
    ],
)
def test_a_pasted_line_makes_no_attendant(documents, tmp_path, change):
    documents.save_roster(sign_roster(3, (ANA,), OFFICE), OFFICE.public)
    edited(tmp_path, change)
    with pytest.raises(RosterRefused, match="not signed by the back office"):
        documents.load_roster(OFFICE.public)


def test_a_roster_signed_by_somebody_else_is_refused(documents):
    forged = sign_roster(3, (ANA,), SigningKey.from_seed(b"x" * 32))
    with pytest.raises(RosterRefused, match="not signed by the back office"):
        documents.save_roster(forged, OFFICE.public)
    with pytest.raises(RosterRefused):
        documents.save_roster(Roster(4, (ANA,)), OFFICE.public)


def test_a_spoilt_roster_is_mended_by_a_signed_one(documents, tmp_path):
    documents.save_roster(sign_roster(3, (ANA,), OFFICE), OFFICE.public)
    (tmp_path / "roster.json").write_bytes(b"{")
    roster = sign_roster(3, (ANA, BEN), OFFICE)
    documents.save_roster(roster, OFFICE.public)
    assert documents.load_roster(OFFICE.public) == roster


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"roster": []}',
        b'{"roster": {"1": 7}}',
        b"\xff\xfe",
        b"[" * 9999,
    ],
)
def test_a_document_that_cannot_be_read_says_which(documents, tmp_path, content):
    for name in ("roster.json", "devices.json"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentDamaged, match=r"roster\.json"):
        documents.load_roster(OFFICE.public)
    with pytest.raises(DocumentDamaged, match=r"devices\.json"):
        documents.device_choices()


def test_a_roster_of_another_shape_names_the_field(documents, tmp_path):
    documents.save_roster(sign_roster(3, (ANA,), OFFICE), OFFICE.public)
    edited(tmp_path, lambda row: row.update(version="three"))
    with pytest.raises(DocumentDamaged, match=r"version"):
        documents.load_roster(OFFICE.public)


# -- device choices and the storage under them -------------------------------


def test_the_technicians_choices_are_kept_by_kind_of_device(documents, tmp_path):
    documents.choose_device("scanner", DeviceChoice("serial", {"port": "/dev/ttyS0"}))
    documents.choose_device("printer", DeviceChoice("escpos_usb"))
    documents.choose_device("scanner", DeviceChoice("hid"))
    assert Documents(tmp_path).device_choices() == {
        "scanner": DeviceChoice("hid"),
        "printer": DeviceChoice("escpos_usb"),
    }


def test_a_technician_can_mend_a_choice_with_an_editor(documents, tmp_path):
    documents.choose_device("scanner", DeviceChoice("serial"))
    path = tmp_path / "devices.json"
    path.write_text(path.read_text().replace("serial", "hid"))
    assert documents.device_choices()["scanner"].driver == "hid"


@pytest.mark.parametrize("step", ["open", "fsync", "rename"])
def test_a_cut_while_a_document_is_written_leaves_the_old_one(
    documents, tmp_path, monkeypatch, step
):
    documents.choose_device("scanner", DeviceChoice("serial"))
    before = (tmp_path / "devices.json").read_bytes()

    class Cut(Exception):
        pass

    def cut(*arguments, **more):
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(os, step, cut)
        with pytest.raises(Cut):
            documents.choose_device("scanner", DeviceChoice("hid"))
    assert (tmp_path / "devices.json").read_bytes() == before
    # What was left aside is in nobody's way.
    documents.choose_device("scanner", DeviceChoice("hid"))
    assert documents.device_choices()["scanner"].driver == "hid"
    assert [path.name for path in tmp_path.iterdir()] == ["devices.json"]


def test_a_replaced_file_is_flushed_before_it_is_renamed_and_its_folder_after(
    tmp_path, monkeypatch
):
    steps = []
    fsync, rename = os.fsync, os.rename

    def flushed(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(f"flush {kind}")
        fsync(descriptor)

    def renamed(old, new):
        steps.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "rename", renamed)
    replace_file(tmp_path / "document", b"new")
    assert steps == ["flush file", "rename", "flush folder"]


# -- room on the disk --------------------------------------------------------


def test_ballast_keeps_room_and_gives_it_up(tmp_path):
    ballast = Ballast(tmp_path / "ballast", mib=2)
    assert not ballast.is_held
    assert ballast.hold()
    assert ballast.hold()
    assert ballast.is_held
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 2 * 1024 * 1024
    ballast.release()
    ballast.release()
    assert not ballast.is_held


def test_ballast_that_does_not_fit_is_not_half_held(tmp_path):
    ballast = Ballast(tmp_path / "ballast", mib=1 << 33)
    assert not ballast.hold()
    assert list(tmp_path.iterdir()) == []


def test_no_basket_is_begun_below_the_threshold(tmp_path):
    assert room_for_a_basket(tmp_path, needed=1)
    assert room_for_a_basket(tmp_path / "journal.db", needed=1)
    assert not room_for_a_basket(tmp_path, needed=1 << 62)


# -- PINs --------------------------------------------------------------------

SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def hashed():
    return hash_pin(SECRET, "480917")


def test_a_pin_fits_its_hash_and_no_other_does(hashed):
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert check_pin(SECRET, hashed, "480917")
    assert not check_pin(SECRET, hashed, "480918")
    assert not check_pin(SECRET, hashed, "")


def test_a_stolen_hash_is_worth_nothing_without_the_device_secret(hashed):
    assert not check_pin(bytes(32), hashed, "480917")


@pytest.mark.parametrize(
    "pin_hash",
    [
        "",
        "480917",
        "$argon2id$one",
        "$argon2id$v=19$m=4194304,t=3,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$argon2id$v=19$m=65536,t=999999,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
    ],
)
def test_a_hash_that_cannot_be_ours_fits_no_pin(pin_hash):
    assert not check_pin(SECRET, pin_hash, "480917")


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "48091",
        "000000",
        "999999",
        "123456",
        "654321",
        "012345",
        "890123",
        "111222333",
        "112233",
        "121212",
        "123123",
        "1234567890",
        "48a917",
        "４８０９１７",
        "147258",
        "4809174809174",
        "100001",
    ],
)
def test_an_easy_pin_is_refused_in_words(pin):
    assert weakness(pin).startswith("A PIN ")
    with pytest.raises(WeakPin, match="A PIN "):
        hash_pin(SECRET, pin)


@pytest.mark.parametrize("pin", ["480917", "715204", "192837465", "20311985"])
def test_an_ordinary_pin_is_good_enough(pin):
    assert weakness(pin) == ""


# -- keys and the device secret ----------------------------------------------


def test_a_key_is_made_once_and_read_back(tmp_path):
    path = tmp_path / "lane.key"
    made = LaneKey.load_or_create(path)
    assert LaneKey.load_or_create(path).public == made.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert is_signed(made.public, b"text", LaneKey.load(path).sign(b"text"))
    assert [found.name for found in tmp_path.iterdir()] == ["lane.key"]


def test_a_key_is_never_replaced(tmp_path):
    path = tmp_path / "lane.key"
    made = LaneKey.create(path)
    with pytest.raises(KeyFileError, match="not replaced"):
        LaneKey.create(path)
    assert LaneKey.load(path).public == made.public


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "lane.key"
    LaneKey.create(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="expected 600"):
        LaneKey.load(path)


@pytest.mark.parametrize("content", [b"", b"no key", bytes(32)])
def test_a_file_that_holds_no_key_says_so(tmp_path, content):
    path = tmp_path / "lane.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="no private key"):
        LaneKey.load(path)
    with pytest.raises(KeyFileError, match="no public key"):
        load_public_key(path)


def test_a_public_key_is_read_as_pem_or_hexadecimal(tmp_path):
    path = tmp_path / "lane.pub"
    path.write_bytes(OFFICE.public_pem())
    assert load_public_key(path) == OFFICE.public
    path.write_text(OFFICE.public.hex() + "\n")
    assert load_public_key(path) == OFFICE.public
    with pytest.raises(KeyFileError, match="cannot read the key"):
        load_public_key(tmp_path / "nothing")


def test_a_bad_signature_or_key_is_no_error(tmp_path):
    assert not is_signed(OFFICE.public, b"text", b"short")
    assert not is_signed(b"short", b"text", bytes(64))


def test_the_device_secret_is_made_once_and_is_the_machines_own(tmp_path):
    path = tmp_path / "device.secret"
    secret = device_secret(path)
    assert len(secret) == 32
    assert device_secret(path) == secret
    assert device_secret(tmp_path / "other") != secret
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_device_secret_cut_short_is_refused(tmp_path):
    path = tmp_path / "device.secret"
    device_secret(path)
    path.write_bytes(b"x")
    with pytest.raises(KeyFileError, match="must hold 32 bytes"):
        device_secret(path)
