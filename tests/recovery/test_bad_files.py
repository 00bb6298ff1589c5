"""What is wrong on the lane's disk is said in a line or two, and nothing is sold on it.

The real `kiosk run`, to its end: exit status 2 for what stands in a file that people
write, 70 for what the disk did; never a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kiosk.backoffice.app import OfficeSettings, create_app
from kiosk.backoffice.catalogue import Catalogues
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import journal_files

CONFIGURATION, FAILED = 2, 70


@pytest.fixture
def refused(shop, run_kiosk):
    """Run the lane, which must end by itself; return its words."""

    def run(status):
        ended = run_kiosk("run", "--settings", str(shop.settings))
        words = ended.stderr
        assert ended.returncode == status, words
        assert "Traceback" not in words
        lines = [line for line in words.splitlines() if "WARNING" not in line]
        assert 1 <= len(lines) <= 4, words
        return words

    return run


# -- what people write -------------------------------------------------------


def test_a_secrets_file_that_is_not_there_is_named(shop, refused, run_kiosk):
    told = shop.settings.read_text()
    begin = told.index("[devices.terminal]")
    missing = shop.folder / "no-such-file"
    told = f'{told[:begin]}[devices.terminal]\ndriver = "zvt_tcp"\nhost = "127.0.0.1"\n'
    shop.settings.write_text(f'{told}password_file = "{missing}"\n')
    words = refused(CONFIGURATION)
    assert f"devices.terminal.password_file: {missing}" in words
    for command in (("test", "terminal"), ("commission", "terminal")):
        ended = run_kiosk("devices", *command, "--settings", str(shop.settings))
        assert ended.returncode == CONFIGURATION
        assert "devices.terminal.password_file" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_an_unknown_setting_is_named_with_its_file(shop, refused):
    shop.configure(top='catalogue = "x"')
    words = refused(CONFIGURATION)
    assert str(shop.settings) in words
    assert "catalogue: there is no such setting" in words


def test_a_setting_of_the_wrong_kind_says_what_was_expected(shop, refused):
    shop.configure(top='catalog_bad_rows = "maybe"')
    words = refused(CONFIGURATION)
    assert str(shop.settings) in words
    assert "catalog_bad_rows" in words


def test_bad_rows_are_named_and_nothing_is_loaded_when_asked_so(shop, refused):
    shop.configure(top='catalog_bad_rows = "refuse"')
    with shop.catalog.open("a") as rows:
        rows.write(",9520000000035,Eggs,a lot,standard\n")
    words = refused(CONFIGURATION)
    assert f"{shop.catalog} row 4:" in words
    assert "a lot" in words
    assert not (shop.state / "catalog.db").exists()


def test_bad_rows_are_left_out_and_the_others_sell_when_not(shop):
    with shop.catalog.open("a") as rows:
        rows.write(",9520000000035,Eggs,a lot,standard\n")
    assert shop.buy() == 0
    shop.check_bought()
    assert f"{shop.catalog} row 4:" in shop.said()


def test_a_catalogue_file_that_is_not_there_is_named(shop, refused):
    shop.catalog.unlink()
    assert f"{shop.catalog} cannot be read" in refused(CONFIGURATION)


def test_a_back_office_key_that_is_no_key_is_named(shop, refused):
    key = shop.folder / "server.pub"
    key.write_text("not a key")
    shop.configure(more=f'[sync]\nserver_key = "{key}"')
    assert "sync.server_key" in refused(CONFIGURATION)


def test_a_missing_font_names_the_package_to_install(shop):
    program = (
        "from pathlib import Path; from kiosk.ui import environment;"
        "environment.FONTS['bold'] = Path('/nowhere/Bold.ttf');"
        "from kiosk.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "run", "--settings", str(shop.settings)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == CONFIGURATION
    assert "/nowhere/Bold.ttf" in ended.stderr
    assert "fonts-noto-core" in ended.stderr
    assert "Traceback" not in ended.stderr


# -- what the disk did -------------------------------------------------------


@pytest.mark.parametrize("damage", ["a flipped digit", "garbage", "cut short"])
def test_nothing_is_sold_on_a_journal_that_does_not_verify(shop, refused, damage):
    assert shop.buy() == 0
    (path,) = journal_files(shop.state / "journal")
    content = path.read_bytes()
    match damage:
        case "a flipped digit":
            assert b'"unit_price_minor":129' in content
            content = content.replace(
                b'"unit_price_minor":129', b'"unit_price_minor":128'
            )
        case "garbage":
            content = b"no journal at all " * 400
        case _:
            content = content[: len(content) // 2]
    path.write_bytes(content)
    words = refused(FAILED)
    assert "the journal does not verify" in words
    assert "kiosk journal verify" in words
    # It stays as it was found, for whoever looks at it.
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut short"])
def test_a_catalogue_that_cannot_be_read_says_how_to_get_another(shop, refused, damage):
    assert shop.buy() == 0
    path = shop.state / "catalog.db"
    content = path.read_bytes()
    match damage:
        case "garbage":
            path.write_bytes(b"\x00garbage" * 2000)
        case "empty":
            path.write_bytes(b"")
        case _:
            path.write_bytes(content[: len(content) // 2])
    words = refused(FAILED)
    assert f"Remove {path}" in words
    path.unlink()
    assert shop.buy() == 0


def test_an_item_that_rotted_in_the_catalogue_calls_a_colleague(shop):
    lane = shop.open()
    shop.until_shown("Idle")
    shop.kill(lane)
    path = shop.state / "catalog.db"
    rotten = path.read_bytes().replace(b"Rye bread", b"Rye braed")
    path.write_bytes(rotten)
    lane = shop.open(*shop.LIST)
    shop.until_shown("Intervention")
    # The milk was sold before; the lane lives.
    assert shop.shown()[-1][2] == 1
    shop.kill(lane)
    assert "is damaged" in shop.said()


def test_a_key_that_others_can_read_is_not_used(shop, refused):
    assert shop.buy() == 0
    (shop.state / "lane.key").chmod(0o644)
    assert "lane.key can be read by others" in refused(FAILED)


def test_a_roster_that_rotted_leaves_the_lane_selling(shop):
    key = shop.folder / "server.pub"
    key.write_bytes(SigningKey.create(shop.folder / "server.key").public_pem())
    shop.configure(more=f'[sync]\nserver_key = "{key}"')
    (shop.state / "documents").mkdir(parents=True)
    (shop.state / "documents" / "roster.json").write_text("{half")
    assert shop.buy() == 0
    shop.check_bought()
    assert "no attendant can sign on" in shop.said()


def test_a_second_lane_program_is_kept_out_of_the_same_folder(shop, refused):
    lane = shop.open()
    shop.until_shown("Idle")
    words = refused(FAILED)
    assert f"another lane program (process {lane})" in words
    os.kill(lane, 0)
    # A killed lane leaves no lock behind.
    shop.kill(lane)
    assert shop.buy() == 0
    shop.check_bought()


@pytest.mark.parametrize(("is_strict", "version"), [(True, None), (False, 1)])
def test_a_back_office_loads_the_good_rows_or_none_as_asked(
    tmp_path, caplog, is_strict, version
):
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "gtin,name_en,price\n9520000000011,Milk,1.29\n9520000000028,Tea,two\n"
    )
    settings = OfficeSettings(
        tmp_path / "office", catalog_csv=rows, refuse_bad_rows=is_strict
    )
    create_app(settings)
    key = SigningKey.load(tmp_path / "office" / "server.key")
    newest = Catalogues(tmp_path / "office" / "catalog", key, lambda: 1).newest()
    assert (newest.version if newest else None) == version
    assert f"{rows}, row 3" in caplog.text
    assert ("nothing was loaded" in caplog.text) == is_strict
