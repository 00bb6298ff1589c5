"""An admin says who helps: from the command line to the PIN pad of an enrolled lane."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from enrolling import Fleet, lane_toml
from msgspec.structs import replace
from typer.testing import CliRunner

from kiosk.asked import PinGiven
from kiosk.backoffice.app import OfficeSettings
from kiosk.backoffice.orders import Orders
from kiosk.backoffice.serving import Serving
from kiosk.backoffice.staff import Staff, StaffError
from kiosk.backoffice.staff_api import PutStaff
from kiosk.backoffice.store import Store
from kiosk.cli import app
from kiosk.domain.events import StaffPressed
from kiosk.domain.state import Attending, Lane, PinEntry
from kiosk.enrolment.files import adopt, with_office
from kiosk.main import LaneProgram
from kiosk.opening import open_records
from kiosk.records.documents import Roster, check_roster
from kiosk.records.keys import SigningKey, device_secret
from kiosk.records.pins import check_pin
from kiosk.settings import Settings, parse
from kiosk.sync.claim import Grant
from kiosk.sync.process import SyncSettings, run
from kiosk.sync.wire import Document, Signed

PIN, OTHER = "271828", "314159"
NOON = 1_700_000_000_000
ADA: dict[str, Any] = {
    "attendant_id": "7",
    "name": "Ada",
    "roles": ["technician"],
    "pin": PIN,
}
# As at a lane of a shop, but for what is not there: a file without a port is a
# device that is away.
AT_LANE = """
lane_id = "lane-3"
state_dir = "{state}"
catalog = "{catalog}"

[store]
name = ["Corner"]
currency = "EUR"
timezone = "Europe/Berlin"

[tax]
inclusive = true
rates = [{{ tax_class = "standard", rate_ppm = 190000, letter = "A" }}]

[limits]
pin_tries = 3

[devices.scanner]
driver = "simulated"

[devices.printer]
driver = "simulated"
port_file = "{state}/printer.port"

[devices.terminal]
driver = "simulated"
port_file = "{state}/terminal.port"
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.close()


def enrolled_lane(fleet: Fleet, folder: Path) -> Settings:
    """Return the settings of a lane that was enrolled by its claim."""
    catalog = folder / "goods.csv"
    catalog.write_text(
        "item_id,gtin,name_en,price,tax_class\n,9520000000011,Milk,1.29,standard\n"
    )
    toml = AT_LANE.format(state=folder / "lane", catalog=catalog)
    kiosk = fleet.kiosk()
    kiosk.go_round()
    fleet.approve(fleet.code(), settings=toml)
    assert kiosk.go_round() == 0
    text = fleet.places().lane_toml.read_text()
    return with_office(parse(text, "lane.toml"), fleet.places())


class RunningLane:
    """A whole lane without a screen, and its sync."""

    def __init__(self, settings: Settings) -> None:
        self._seen: queue.Queue[Lane] = queue.Queue()
        self.program = LaneProgram(settings, self._seen.put)
        self._lane = self.program.runner.lane
        self.program.start()
        self._stop = threading.Event()
        state = settings.state
        self._sync = threading.Thread(
            target=run,
            args=(
                SyncSettings(
                    lane_id=settings.lane_id,
                    journal_dir=state / "journal",
                    state_dir=state / "sync",
                    catalog_path=state / "catalog.db",
                    server_url=settings.sync.server_url,
                    key_path=state / "lane.key",
                    server_key_path=Path(settings.sync.server_key),
                    lane_socket=state / "lane.sock",
                    enrol_token=settings.sync.enrol_token,
                    poll_seconds=0.02,
                    refresh_seconds=0.05,
                ),
                self._stop,
            ),
        )
        self._sync.start()

    def until(self, what: Callable[[Lane], bool]) -> Lane:
        """Follow the lane, state by state, to the first of which `what` holds."""
        while not what(self._lane):
            self._lane = self._seen.get(timeout=20)
        return self._lane

    def knows(self, *numbers: str) -> None:
        """Wait until the lane's roster has exactly these."""
        self.until(lambda lane: {one.attendant for one in lane.roster} == {*numbers})

    def tries(self, number: str, pin: str) -> object:
        """Type number and PIN at the pad; return the mode that comes of it."""
        post = self.program.runner.post
        if not isinstance(self._lane.mode, PinEntry):
            post(StaffPressed())
            self.until(lambda lane: isinstance(lane.mode, PinEntry))
        post(PinGiven(number, pin))
        self.until(is_checking)
        return self.until(lambda lane: not is_checking(lane)).mode

    def close(self) -> None:
        self._stop.set()
        self._sync.join()
        self.program.close()


def is_checking(lane: Lane) -> bool:
    return isinstance(lane.mode, PinEntry) and lane.mode.trouble == "checking"


@contextmanager
def running(settings: Settings) -> Iterator[RunningLane]:
    lane = RunningLane(settings)
    try:
        yield lane
    finally:
        lane.close()


def published(fleet: Fleet) -> Roster:
    store = Store.open(fleet.office / "office.db")
    key = SigningKey.load(fleet.office / "server.key")
    signed = Orders(store, key, lambda: 0, str).newest("roster", 0)
    store.close()
    assert isinstance(signed, Signed)
    document = msgspec.json.decode(signed.text, type=Document)
    roster = msgspec.json.decode(document.content, type=Roster)
    check_roster(roster, key.public)
    assert roster.version == document.version
    return roster


# -- at the lane -----------------------------------------------------------------


def test_a_technician_signs_on_at_a_lane_enrolled_by_claim(
    fleet: Fleet, tmp_path: Path
):
    settings = enrolled_lane(fleet, tmp_path)
    fleet.ask("POST", "staff", **ADA)
    with running(settings) as lane:
        lane.knows("7")
        wrong = lane.tries("7", OTHER)
        assert isinstance(wrong, PinEntry)
        assert wrong.trouble == "wrong"
        mode = lane.tries("7", PIN)
        assert isinstance(mode, Attending)
        assert mode.roles == ("technician",)


def test_who_was_removed_signs_on_no_more(fleet: Fleet, tmp_path: Path):
    settings = enrolled_lane(fleet, tmp_path)
    fleet.ask("POST", "staff", **ADA)
    fleet.ask("POST", "staff", **{**ADA, "attendant_id": "8", "pin": OTHER})
    with running(settings) as lane:
        lane.knows("7", "8")
        fleet.ask("POST", "staff/remove", attendant_id="7")
        lane.knows("8")
        assert isinstance(lane.tries("7", PIN), PinEntry)
        assert isinstance(lane.tries("8", OTHER), Attending)


def test_a_changed_pin_counts_at_once_and_the_former_no_more(
    fleet: Fleet, tmp_path: Path
):
    settings = enrolled_lane(fleet, tmp_path)
    fleet.ask("POST", "staff", **ADA)
    with running(settings) as lane:
        lane.knows("7")
        first = lane.program.runner.lane.roster_version
        fleet.ask("POST", "staff", **{**ADA, "pin": OTHER})
        lane.until(lambda lane: lane.roster_version > first)
        assert isinstance(lane.tries("7", PIN), PinEntry)
        assert isinstance(lane.tries("7", OTHER), Attending)


def test_a_lane_without_the_shops_secret_has_its_own(fleet: Fleet, tmp_path: Path):
    settings = parse(lane_toml("lane-3"), "lane.toml")
    settings = replace(settings, state_dir=str(tmp_path / "lane"))
    grant = Grant("lane-3", lane_toml("lane-3"), b"k" * 32, "token", b"p" * 32)
    fleet.kiosk()
    adopt(grant, "http://office", fleet.places())
    assert secret_of(with_office(settings, fleet.places())) == b"p" * 32
    assert fleet.places().pins_secret.stat().st_mode & 0o777 == 0o640

    # An older back office's grant, as it travels; what another left is taken away.
    text = msgspec.json.encode(grant).replace(b',"pin_secret":', b',"unknown":')
    older = msgspec.json.decode(text, type=Grant)
    assert older.pin_secret == b""
    adopt(older, "http://office", fleet.places())
    found = with_office(settings, fleet.places())
    assert found.sync.pins_secret == ""
    assert secret_of(found) == device_secret(tmp_path / "lane" / "device.secret")


@pytest.mark.parametrize(("content", "mode"), [(b"short", 0o640), (b"p" * 32, 0o644)])
def test_a_secret_that_cannot_be_used_is_told_and_the_lane_sells_on(
    tmp_path: Path, content: bytes, mode: int, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "pins.secret"
    path.write_bytes(content)
    path.chmod(mode)
    settings = parse(lane_toml("lane-3"), "lane.toml")
    settings = replace(
        settings,
        state_dir=str(tmp_path / "lane"),
        sync=replace(settings.sync, pins_secret=str(path)),
    )
    assert secret_of(settings) == device_secret(tmp_path / "lane" / "device.secret")
    assert "no attendant can sign on" in caplog.text


def secret_of(settings: Settings) -> bytes:
    records = open_records(settings)
    records.journal.close()
    os.close(records.lock)
    return records.secret


# -- at the back office ----------------------------------------------------------


def test_the_secret_outlives_a_restart_and_hashes_for_it_hold(fleet: Fleet):
    path = fleet.office / "pins.secret"
    secret = path.read_bytes()
    assert (len(secret), path.stat().st_mode & 0o777) == (32, 0o600)
    fleet.ask("POST", "staff", **ADA)
    fleet.serving.close()

    fleet.serving = Serving(OfficeSettings(fleet.office))

    assert path.read_bytes() == secret
    [ada] = published(fleet).attendants
    assert check_pin(secret, ada.pin_hash, PIN)
    assert [one["name"] for one in fleet.ask("GET", "staff")] == ["Ada"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pin": "123456"}, "A PIN is not a row of numbers."),
        ({"pin": "12"}, "A PIN has 6 digits or more."),
        ({"pin": ""}, "a new one needs a PIN"),
        ({"roles": ["boss"]}, "'boss' is no role: expected approve"),
        ({"roles": []}, "has a role"),
        ({"attendant_id": "seven"}, "1 to 8 digits"),
        ({"attendant_id": "123456789"}, "1 to 8 digits"),
        ({"attendant_id": "٣"}, "1 to 8 digits"),
        ({"name": " "}, "a name has"),
        ({"name": "A\u202eda"}, "a name has"),
        ({"pin": 271828}, "Expected `str`"),
    ],
)
def test_what_no_lane_could_use_is_refused_in_words(
    fleet: Fleet, change: dict[str, Any], words: str
):
    said = fleet.ask("POST", "staff", **{**ADA, **change})
    assert (said["status"], words in said["reason"]) == (400, True), said
    assert fleet.ask("GET", "staff") == []


def test_who_is_no_admin_neither_sees_nor_changes_the_staff(fleet: Fleet):
    for method, path, body in (
        ("POST", "staff", ADA),
        ("POST", "staff/remove", {"attendant_id": "7"}),
        ("GET", "staff", {}),
    ):
        assert fleet.ask(method, path, "guessed", **body)["status"] == 401
    assert fleet.ask("GET", "staff") == []


def test_no_answer_log_or_repr_has_a_pin_or_its_hash(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    said = [
        fleet.ask("POST", "staff", **ADA),
        fleet.ask("POST", "staff", **{**ADA, "pin": "987654"}),
        fleet.ask("POST", "staff", **{**ADA, "roles": 3}),
        fleet.ask("GET", "staff"),
    ]
    shown = [
        repr(PutStaff("7", "Ada", ("void",), PIN)),
        repr(Grant("l", "", b"", "word", b"secret")),
    ]
    everything = json.dumps(said) + "".join(shown) + caplog.text
    for secret in (PIN, "987654", "argon2", "secret", "word"):
        assert secret not in everything
    assert PIN.encode() not in (fleet.office / "office.db").read_bytes()


def test_of_two_admins_at_once_neither_loses_a_change(fleet: Fleet):
    def add(number: int) -> object:
        one: dict[str, Any] = {"attendant_id": str(number), "name": f"N{number}"}
        return fleet.ask("POST", "staff", **{**ADA, **one})

    with ThreadPoolExecutor(6) as admins:
        said = [*admins.map(add, range(1, 7))]

    assert all(isinstance(one, dict) and "status" not in one for one in said)
    assert len(published(fleet).attendants) == 6


def test_a_database_from_a_backup_still_gives_out_higher_versions(tmp_path: Path):
    key, now = SigningKey.from_seed(b"o" * 32), [NOON]
    versions = []
    for days in (0, 1):
        # The second is the database as it was before the first change.
        store = Store.in_memory()
        now[0] = NOON + days * 86_400_000
        orders = Orders(store, key, lambda: now[0], str)
        staff = Staff(orders, key, b"p" * 32, lambda: now[0])
        for number in ("1", "2"):
            staff.put(number, "Ada", ("void",), PIN)
            signed = orders.newest("roster", 0)
            assert signed is not None
            versions.append(msgspec.json.decode(signed.text, type=Document).version)
        store.close()
    assert versions == sorted(set(versions))


def test_name_and_roles_change_without_the_pin(fleet: Fleet):
    fleet.ask("POST", "staff", **ADA)
    before = published(fleet)
    fleet.ask("POST", "staff", attendant_id="7", name="Ada L", roles=["void"])
    after = published(fleet)
    assert after.version > before.version
    assert after.attendants[0].pin_hash == before.attendants[0].pin_hash
    assert fleet.ask("GET", "staff") == [
        {"attendant_id": "7", "name": "Ada L", "roles": ["void"]}
    ]


def test_nobody_is_removed_twice(fleet: Fleet):
    fleet.ask("POST", "staff", **ADA)
    assert fleet.ask("POST", "staff/remove", attendant_id="7")["name"] == "Ada"
    version = published(fleet).version
    said = fleet.ask("POST", "staff/remove", attendant_id="7")
    assert (said["status"], "nobody has number" in said["reason"]) == (400, True)
    assert published(fleet).version == version


def test_a_shop_has_an_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("kiosk.backoffice.staff.MOST", 1)
    key, store = SigningKey.from_seed(b"o" * 32), Store.in_memory()
    orders = Orders(store, key, lambda: NOON, str)
    staff = Staff(orders, key, b"p" * 32, lambda: NOON)
    staff.put("1", "Ada", ("void",), PIN)
    with pytest.raises(StaffError, match="remove who has left"):
        staff.put("2", "Ben", ("void",), PIN)
    staff.put("1", "Ada", ("price",), "")
    store.close()


# -- from the command line -------------------------------------------------------


def kiosk(fleet: Fleet, *words: object, typed: str = "") -> tuple[int, str]:
    said = ["fleet", "staff", *map(str, words), "--office", fleet.serving.url]
    said += ["--token-file", str(fleet.office / "admin.token")]
    result = CliRunner().invoke(app, said, input=typed)
    assert not isinstance(result.exception, Exception), result.exception
    return result.exit_code, result.output


def test_an_admin_adds_lists_and_removes(fleet: Fleet, tmp_path: Path):
    assert kiosk(fleet, "list") == (
        0,
        "Nobody helps yet: kiosk fleet staff add NUMBER\n",
    )
    options = ("--name", "Ada", "--role", "technician", "--role", "approve")
    status, said = kiosk(fleet, "add", 7, *options, typed=f"{PIN}\n{PIN}\n")
    assert (status, "within a minute" in said, PIN in said) == (0, True, False)
    file = tmp_path / "pin"
    file.write_text(f"{OTHER}\n")
    status, said = kiosk(fleet, "add", 8, *options, "--pin-file", file)
    assert (status, "Ada (8) may: approve, technician." in said) == (0, True)
    status, said = kiosk(fleet, "add", 8, "--name", "B", "--role", "void", "--keep-pin")
    assert status == 0
    status, said = kiosk(fleet, "list", "--json")
    assert [one["roles"] for one in json.loads(said)] == [
        ["approve", "technician"],
        ["void"],
    ]
    status, said = kiosk(fleet, "remove", 7)
    assert (status, "Ada (7) helps no more." in said) == (0, True)
    assert "Ada" not in kiosk(fleet, "list")[1]


def test_a_mistake_is_told_in_words(fleet: Fleet, tmp_path: Path):
    options = ("--name", "Ada", "--role", "void")
    status, said = kiosk(fleet, "add", 7, *options, typed="123456\n123456\n")
    assert (status, "not a row of numbers" in said) == (2, True)
    empty = tmp_path / "pin"
    empty.write_text("\n")
    status, said = kiosk(fleet, "add", 7, *options, "--pin-file", empty)
    assert (status, "holds no PIN" in said) == (2, True)
    status, said = kiosk(fleet, "add", 7, *options, "--pin-file", tmp_path / "none")
    assert (status, "No such file" in said) == (2, True)
    status, said = kiosk(fleet, "add", 7, *options, "--keep-pin", "--pin-file", empty)
    assert (status, "one of the two" in said) == (2, True)
    status, said = kiosk(fleet, "remove", 7)
    assert (status, "nobody has number" in said) == (2, True)
