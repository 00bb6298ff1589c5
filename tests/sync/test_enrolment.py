"""A blank kiosk becomes a lane: over real HTTP, with everything that goes wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import requests
from bad_line import (
    half_answer,
    half_answer_that_looks_whole,
    held_by_a_liar,
    log_in_page,
    lost_answer,
    sent_elsewhere,
    silence,
    status,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from enrolling import Fleet, lane_toml
from msgspec.structs import replace

from kiosk.enrolment.files import adopt, enrolled, former_lane, with_office
from kiosk.enrolment.process import run
from kiosk.records.disk import replace_file
from kiosk.records.keys import SigningKey
from kiosk.settings import parse
from kiosk.sync.claim import (
    CLAIM_DOMAIN,
    Claim,
    Grant,
    code_of,
    open_grant,
    seal_grant,
)
from kiosk.sync.office import NotEnrolled, Office
from kiosk.sync.push import SyncError
from kiosk.sync.wire import NOTHING, Hello, WireError, seal


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.close()


def lane_office(fleet: Fleet, key: SigningKey, lane: str = "lane-3") -> Office:
    public = bytes.fromhex((fleet.places().config / "office.pub").read_text().strip())
    return Office(fleet.line.url, lane, key, public, answer_seconds=5)


def test_a_blank_kiosk_becomes_the_lane_an_admin_names(fleet: Fleet):
    kiosk = fleet.kiosk()
    assert kiosk.go_round() > 0
    assert not fleet.places().lane_toml.exists()

    said = fleet.approve(fleet.code().lower())

    assert said["lane_id"] == "lane-3"
    assert kiosk.go_round() == 0
    assert fleet.places().lane_toml.read_text() == lane_toml("lane-3")
    assert former_lane(fleet.places()) == "lane-3"


def test_the_lane_is_known_by_its_own_key_once_it_brings_its_token(
    fleet: Fleet, tmp_path: Path
):
    made_lane(fleet)
    key = SigningKey.create(tmp_path / "lane.key")
    office = lane_office(fleet, key)
    with pytest.raises(NotEnrolled):
        office.hello(Hello("lane-3", "e", NOTHING, ()))

    office.enrol(token_of(fleet))
    office.hello(Hello("lane-3", "e", NOTHING, (), slot="A", updater="kept 1.2.3"))
    office.close()

    [lane] = fleet.ask("GET", "lanes")
    assert (lane["lane_id"], lane["slot"], lane["updater"]) == (
        "lane-3",
        "A",
        "kept 1.2.3",
    )


def made_lane(fleet: Fleet) -> None:
    kiosk = fleet.kiosk()
    kiosk.go_round()
    fleet.approve(fleet.code())
    assert kiosk.go_round() == 0


def token_of(fleet: Fleet) -> str:
    found = enrolled(fleet.places())
    assert found is not None
    return found.token


def test_a_token_is_good_once_and_its_lost_answer_is_no_harm(
    fleet: Fleet, tmp_path: Path
):
    made_lane(fleet)
    token = token_of(fleet)
    office = lane_office(fleet, SigningKey.create(tmp_path / "lane.key"))
    fleet.line.fail("enrol", lost_answer)
    with pytest.raises(SyncError):
        office.enrol(token)
    office.enrol(token)
    office.close()

    thief = lane_office(fleet, SigningKey.create(tmp_path / "thief.key"))
    with pytest.raises(SyncError, match="token"):
        thief.enrol(token)
    thief.close()


@pytest.mark.parametrize("word", ["office", "claims"])
@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(503, **{"Retry-After": "7"}),
        log_in_page,
        sent_elsewhere,
        half_answer,
        half_answer_that_looks_whole,
        held_by_a_liar,
        lost_answer,
    ],
    ids=lambda fault: fault.__qualname__.split(".")[0],
)
def test_a_bad_line_is_told_and_tried_again(fleet: Fleet, word: str, fault):
    kiosk = fleet.kiosk()
    fleet.line.fail(word, fault)
    with pytest.raises(SyncError):
        kiosk.go_round()

    kiosk.go_round()
    fleet.approve(fleet.code())
    assert kiosk.go_round() == 0


def test_silence_is_an_answer_too(fleet: Fleet):
    kiosk = fleet.kiosk(answer_seconds=0.3)
    fleet.line.fail("claims", silence(fleet.line))
    with pytest.raises(SyncError, match="did not answer"):
        kiosk.go_round()


def test_the_screen_is_told_what_is_wrong(fleet: Fleet):
    stop = threading.Event()
    kiosk = fleet.kiosk()

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return True

    fleet.line.fail("office", log_in_page)
    assert not run(kiosk, Once(), Random(1))
    assert "log-in page" in fleet.trouble()
    stop.set()
    assert not run(kiosk, stop, Random(1))


def test_a_code_approves_no_other_kiosk(fleet: Fleet):
    one, other = fleet.kiosk("one"), fleet.kiosk("other")
    one.go_round()
    other.go_round()
    assert fleet.code("one") != fleet.code("other")

    fleet.approve(fleet.code("one"))

    assert other.go_round() > 0
    assert not fleet.places("other").lane_toml.exists()
    assert one.go_round() == 0


def test_a_code_is_used_up(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    fleet.approve(fleet.code())
    assert "no kiosk waits" in fleet.approve(fleet.code(), "lane-4")["reason"]


def test_an_approval_is_sealed_to_the_claim_it_is_for():
    box, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    grant = Grant("lane-3", "x", b"k" * 32, "token")
    sealed = seal_grant(grant, box.public_key().public_bytes_raw())
    assert open_grant(sealed, box) == grant
    for wrong in (sealed[:-1], sealed[:40] + b"x" + sealed[41:], b""):
        with pytest.raises(WireError):
            open_grant(wrong, box)
    with pytest.raises(WireError):
        open_grant(sealed, other)


def test_the_code_is_another_for_another_office():
    machine, box = b"m" * 32, b"b" * 32
    codes = {code_of(machine, office, box) for office in (b"o" * 32, b"p" * 32)}
    assert len(codes) == 2


def test_another_office_in_between_shows_a_code_that_no_admin_can_approve(
    fleet: Fleet, tmp_path: Path
):
    # It hands out a key of its own, and so the code on the screen is another.
    liar = SigningKey.create(tmp_path / "liar.key")
    kiosk = fleet.kiosk(office_key=liar.public.hex())
    with pytest.raises(SyncError, match="another back office"):
        kiosk.go_round()
    assert "no kiosk waits" in fleet.approve(fleet.code())["reason"]


def test_a_claim_with_a_false_signature_is_refused(fleet: Fleet, tmp_path: Path):
    true, false = (
        SigningKey.create(tmp_path / "true.key"),
        SigningKey.create(tmp_path / "false.key"),
    )
    server = bytes.fromhex(_office_key(fleet))
    claim = Claim(true.public, b"b" * 32, server, "x86-64-v1", "1.2.3")
    office = Office(fleet.line.url, "", false, server, answer_seconds=5)
    with pytest.raises(SyncError, match="signature"):
        office.claim(claim)
    office.close()
    assert fleet.ask("GET", "claims") == []
    assert seal(true, CLAIM_DOMAIN, claim).signature


def _office_key(fleet: Fleet) -> str:
    office = Office(fleet.line.url, "", SigningKey.from_seed(b"s" * 32), b"")
    key = office.key()
    office.close()
    return key.hex()


def test_a_refused_kiosk_gets_another_code(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    before = fleet.code()
    [claim] = fleet.ask("GET", "claims")
    fleet.ask("POST", "refuse", claim_id=claim["claim_id"])
    assert kiosk.go_round() >= 60

    kiosk.go_round()

    assert fleet.code() != before
    assert "refused" in fleet.trouble()
    assert "no kiosk waits" in fleet.approve(before)["reason"]


def test_an_admin_needs_the_admins_word(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    body = {"code": fleet.code(), "lane_id": "l", "settings": lane_toml("l")}
    for word in ("", "wrong", "wörng"):
        assert (
            fleet.ask("POST", "approve", word.encode().decode("latin-1"), **body)[
                "status"
            ]
            == 401
        )
        assert (
            fleet.ask("GET", "lanes", word.encode().decode("latin-1"))["status"] == 401
        )
    assert kiosk.go_round() > 0


@pytest.mark.parametrize(
    ("lane", "settings", "words"),
    [
        ("lane 3", "", "no name for a lane"),
        ("lane-3", "lane_id = ", "not TOML"),
        ("lane-3", 'lane_id = "lane-4"', "make them the same"),
        ("lane-3", "#" * 70_000, "64 KiB"),
    ],
)
def test_settings_no_kiosk_could_use_are_not_approved(
    fleet: Fleet, lane: str, settings: str, words: str
):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    assert words in fleet.approve(fleet.code(), lane, settings=settings)["reason"]
    assert kiosk.go_round() > 0


def test_settings_this_release_cannot_use_are_told_and_not_kept(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    before = fleet.code()
    fleet.approve(before, settings='lane_id = "lane-3"\nnonsense = 1\n')

    kiosk.go_round()
    kiosk.go_round()

    assert not fleet.places().lane_toml.exists()
    assert "nonsense" in fleet.trouble()
    assert fleet.code() != before
    fleet.approve(fleet.code())
    assert kiosk.go_round() == 0


def test_a_lane_is_replaced_only_when_the_admin_says_so(fleet: Fleet, tmp_path: Path):
    made_lane(fleet)
    old = lane_office(fleet, SigningKey.create(tmp_path / "old.key"))
    old.enrol(token_of(fleet))

    kiosk = fleet.kiosk("new")
    kiosk.go_round()
    assert "replaces it" in fleet.approve(fleet.code("new"))["reason"]
    fleet.approve(fleet.code("new"), replace=True)
    kiosk.go_round()
    # Until the new machine comes the old one sells on.
    old.hello(Hello("lane-3", "e", NOTHING, ()))
    found = enrolled(fleet.places("new"))
    assert found is not None
    new = lane_office(fleet, SigningKey.create(tmp_path / "new.key"))
    new.enrol(found.token)
    new.hello(Hello("lane-3", "f", NOTHING, ()))
    with pytest.raises(SyncError):
        old.hello(Hello("lane-3", "e", NOTHING, ()))
    old.close()
    new.close()


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_pulled_plug_leaves_a_lane_or_a_blank_kiosk(fleet: Fleet, cut: int):
    class PlugPulled(BaseException):
        pass

    left = [cut]

    def put(path: Path, content: bytes, mode: int) -> None:
        if not left[0]:
            raise PlugPulled
        left[0] -= 1
        replace_file(path, content, mode)

    fleet.kiosk().go_round()
    grant = Grant("lane-9", lane_toml("lane-9"), b"k" * 32, "token", b"p" * 32)
    with pytest.raises(PlugPulled):
        adopt(grant, "http://office", fleet.places(), put)

    assert enrolled(fleet.places()) is None
    # And it becomes a lane as if nothing had been.
    made_lane(fleet)
    assert token_of(fleet) != "token"


def test_what_was_approved_is_not_lost_with_its_answer(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    fleet.approve(fleet.code())
    fleet.line.fail("claims", lost_answer, half_answer)
    for _ in range(2):
        with pytest.raises(SyncError):
            kiosk.go_round()
    assert kiosk.go_round() == 0


def test_an_admin_approves_in_a_browser(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    url = fleet.serving.url
    assert "1 new kiosk waits" in requests.get(url, timeout=10).text
    html = requests.get(f"{url}/kiosks", timeout=10).text
    assert fleet.code() not in html
    assert fleet.code().replace("-", "") not in html
    found = re.search(r'name="token" value="(\w+)"', html)
    assert found is not None
    form = {
        "token": found[1],
        "code": fleet.code(),
        "lane": "lane-3",
        "settings": lane_toml("lane-3").replace("\n", "\r\n"),
        "word": "guessed",
    }

    refused = requests.post(f"{url}/kiosks/approve", data=form, timeout=10)
    assert refused.status_code == 403
    assert kiosk.go_round() > 0
    form["word"] = fleet.token
    stranger = requests.post(
        f"{url}/kiosks/approve",
        data=form,
        headers={"Origin": "http://elsewhere.example"},
        timeout=10,
    )
    assert stranger.status_code == 403
    done = requests.post(f"{url}/kiosks/approve", data=form, timeout=10)

    assert "starts as lane-3" in done.text
    assert kiosk.go_round() == 0
    assert fleet.places().lane_toml.read_text() == lane_toml("lane-3")


def test_an_admin_refuses_in_a_browser(fleet: Fleet):
    kiosk = fleet.kiosk()
    kiosk.go_round()
    html = requests.get(f"{fleet.serving.url}/kiosks", timeout=10).text
    names = dict(re.findall(r'name="(token|claim)" value="(\w+)"', html))
    done = requests.post(
        f"{fleet.serving.url}/kiosks/refuse",
        data={**names, "word": fleet.token},
        timeout=10,
    )
    assert "Refused" in done.text
    assert kiosk.go_round() >= 60


def test_a_lane_that_names_no_office_has_the_one_it_was_enrolled_at(fleet: Fleet):
    made_lane(fleet)
    places = fleet.places()
    settings = parse(places.lane_toml.read_text(), "lane.toml")
    found = with_office(settings, places).sync
    assert found.server_url == fleet.line.url
    assert found.server_key == str(places.config / "office.pub")
    assert found.enrol_token == token_of(fleet)
    assert found.pins_secret == str(places.pins_secret)
    own = parse(lane_toml("lane-3") + '[sync]\nserver_url = "http://own"\n', "t")
    assert with_office(own, places).sync == replace(
        own.sync, pins_secret=str(places.pins_secret)
    )
    other = parse(lane_toml("lane-4"), "t")
    assert with_office(other, places) == other
    places.lane_toml.unlink()
    assert with_office(settings, places) == settings
