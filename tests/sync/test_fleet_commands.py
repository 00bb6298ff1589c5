"""`kiosk fleet` and `kiosk updater poll`, as an admin and a unit run them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from enrolling import Fleet, lane_toml
from release_server import ReleaseServer, bundle_of
from typer.testing import CliRunner

from kiosk.cli import app
from kiosk.fleet_settings import FleetSettings, load
from kiosk.records.keys import SigningKey
from kiosk.settings import ConfigError
from kiosk.sync.office import Office
from kiosk.sync.wire import NOTHING, Hello

RELEASE = "RELEASE=1.2.3\nVARIANT=production\nHARDWARE='x86-64-v1'\nBUILD=abc\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.close()


def kiosk(*words: object, fleet: Fleet | None = None) -> tuple[int, str]:
    """Run a command; return its status and all it said."""
    said = [str(word) for word in words]
    if fleet is not None:
        said += ["--office", fleet.serving.url]
        said += ["--token-file", str(fleet.office / "admin.token")]
    result = CliRunner().invoke(app, said)
    assert not isinstance(result.exception, Exception), result.exception
    return result.exit_code, result.output


def test_an_admin_enrols_a_kiosk_from_the_command_line(fleet: Fleet, tmp_path: Path):
    asking = fleet.kiosk()
    asking.go_round()
    toml = tmp_path / "lane.toml"
    toml.write_text(lane_toml("lane-3"))

    status, said = kiosk("fleet", "waiting", fleet=fleet)
    assert (status, "x86-64-v1" in said) == (0, True)
    assert fleet.code() not in said

    status, said = kiosk(
        "fleet",
        "approve",
        fleet.code(),
        "--lane",
        "lane-3",
        "--settings",
        toml,
        fleet=fleet,
    )
    assert (status, "is lane-3" in said) == (0, True)
    assert asking.go_round() == 0
    assert kiosk("fleet", "waiting", fleet=fleet) == (0, "No kiosk waits.\n")


def test_a_mistake_is_told_in_words_and_ends_with_two(fleet: Fleet, tmp_path: Path):
    toml = tmp_path / "lane.toml"
    toml.write_text(lane_toml("lane-3") + "nonsense = 1\n")
    options = ("--lane", "lane-3", "--settings")
    status, said = kiosk("fleet", "approve", "nope", *options, toml, fleet=fleet)
    assert (status, "8 letters" in said) == (2, True)
    status, said = kiosk("fleet", "approve", "ACDEFGHJ", *options, toml, fleet=fleet)
    assert (status, "nonsense" in said) == (2, True)
    toml.write_text(lane_toml("lane-3"))
    status, said = kiosk("fleet", "approve", "ACDEFGHJ", *options, toml, fleet=fleet)
    assert (status, "no kiosk waits" in said) == (2, True)
    status, said = kiosk("fleet", "refuse", "x", fleet=fleet)
    assert (status, "no kiosk" in said) == (2, True)
    status, said = kiosk("fleet", "list", "--token-file", tmp_path / "none")
    assert (status, "admin.token" in said or "--token-file" in said) == (2, True)


def test_who_runs_what_is_a_table_or_json(fleet: Fleet, tmp_path: Path):
    asking = fleet.kiosk()
    asking.go_round()
    fleet.approve(fleet.code())
    asking.go_round()
    config = fleet.places().config
    enrolled = json.loads((config / "enrolled.json").read_text())
    office = Office(
        enrolled["office"],
        "lane-3",
        SigningKey.create(tmp_path / "lane.key"),
        bytes.fromhex(enrolled["office_key"]),
    )
    office.enrol(enrolled["token"])
    office.hello(
        Hello("lane-3", "e", NOTHING, (), release="1.2.3", slot="B", updater="kept")
    )
    office.close()

    status, said = kiosk("fleet", "list", fleet=fleet)
    assert status == 0
    assert re.search(r"lane-3 +1\.2\.3 +B +\d+ s ago +0 +kept", said)
    status, said = kiosk("fleet", "list", "--json", fleet=fleet)
    assert json.loads(said)[0]["slot"] == "B"


def test_from_a_new_key_to_a_bundle_in_the_inbox(tmp_path: Path):
    status, said = kiosk("fleet", "key", "new", tmp_path / "safe")
    assert status == 0
    line = said.splitlines()[-1]
    assert (tmp_path / "safe" / "fleet.key").stat().st_mode & 0o777 == 0o600
    releases = tmp_path / "releases"
    bundle = bundle_of(tmp_path, "1.3.0")
    status, said = kiosk(
        "fleet",
        "publish",
        bundle,
        "--to",
        releases,
        "--key",
        tmp_path / "safe/fleet.key",
    )
    assert (status, "Release 1.3.0 for x86-64-v1" in said) == (0, True)
    server = ReleaseServer(releases)
    toml = tmp_path / "fleet.toml"
    toml.write_text(f'releases = "{server.url}"\n{line}\n')
    settings = load(toml)
    assert settings.trusted_keys == (
        SigningKey.load(tmp_path / "safe" / "fleet.key").public,
    )

    # This machine is no appliance: it knows no release and takes none.
    status, said = kiosk(
        "updater",
        "poll",
        "--once",
        "--fleet",
        toml,
        "--inbox",
        tmp_path / "inbox",
        "--state",
        tmp_path / "state",
    )
    server.close()
    assert (status, "this machine is not known" in said) == (1, True)


def test_the_key_is_never_made_in_a_repository(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    status, said = kiosk("fleet", "key", "new", tmp_path / "keys")
    assert (status, "repository" in said) == (2, True)
    assert not (tmp_path / "keys").exists()


def test_a_bundle_is_not_published_as_what_it_is_not(tmp_path: Path):
    kiosk("fleet", "key", "new", tmp_path / "safe")
    bundle = bundle_of(tmp_path, "1.3.0")
    status, said = kiosk(
        "fleet",
        "publish",
        bundle,
        "--to",
        tmp_path / "releases",
        "--key",
        tmp_path / "safe/fleet.key",
        "--release",
        "2.0.0",
    )
    assert (status, "1.3.0, not 2.0.0" in said) == (2, True)
    assert not (tmp_path / "releases").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('office = "office.example"', "no address"),
        ('office = "ftp://office.example"', "no address"),
        ('office_key = "abc"', "no key"),
        ('release_keys = ["zz"]', "no key"),
        ("poll_seconds = 1", "a minute to a week"),
        ("nonsense = 1", "nonsense"),
        ("office = ", "not TOML"),
    ],
)
def test_a_wrong_fleet_toml_says_what_is_wrong(tmp_path: Path, text: str, words: str):
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(path)
    assert kiosk("enrol", "--fleet", path, "--config", tmp_path)[0] == 2


def test_a_kiosk_without_a_fleet_asks_nobody(tmp_path: Path):
    assert load(tmp_path / "none.toml") == FleetSettings()
    status, said = kiosk("enrol", "--fleet", tmp_path / "no.toml", "--config", tmp_path)
    assert (status, "names no office" in said) == (0, True)
    status, said = kiosk("updater", "poll", "--fleet", tmp_path / "no.toml")
    assert (status, "nothing to look for" in said) == (0, True)
    (tmp_path / "fleet.toml").write_text('releases = "http://releases.example"')
    status, said = kiosk(
        "updater", "poll", "--fleet", tmp_path / "fleet.toml", "--key", tmp_path / "no"
    )
    assert (status, "names no key" in said) == (78, True)
    (tmp_path / "lane.toml").write_text("x")
    status, said = kiosk("enrol", "--config", tmp_path)
    assert (status, "a lane already" in said) == (0, True)


def test_an_enrolled_kiosk_never_sells_as_another_lane(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asking = fleet.kiosk()
    asking.go_round()
    fleet.approve(fleet.code())
    asking.go_round()
    monkeypatch.setattr("kiosk.cli._places", fleet.places)
    rendered = tmp_path / "rendered.toml"
    rendered.write_text(lane_toml("lane-1"))

    status, said = kiosk(
        "run", "--settings", rendered, "--fleet", tmp_path / "none.toml"
    )

    assert (status, "must not sell as another lane" in said) == (75, True)
