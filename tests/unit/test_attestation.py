"""The attestation code: what it says, who signed it, and what was changed in it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from kiosk.cli import app
from kiosk.records.attestation import NoAttestation, attest, read
from kiosk.records.chain import Head
from kiosk.records.keys import SigningKey

KEY = SigningKey.from_seed(b"k" * 32)
ROOT = "4f" * 32
CODE = attest(
    KEY,
    lane_id="lane-3",
    release="1.4.2",
    root_hash=ROOT,
    head=Head(901, "ab" * 32),
    at_ms=1_793_716_320_000,
)


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "lane.pub"
    path.write_bytes(KEY.public_pem())
    return path


def test_the_code_says_what_was_attested():
    told, is_good = read(CODE, KEY.public)
    assert is_good
    assert (told.lane_id, told.release, told.seq) == ("lane-3", "1.4.2", 901)
    assert (told.root_hash.hex(), told.digest.hex()) == (ROOT, "ab" * 32)


def test_it_fits_a_picture_that_a_phone_reads():
    assert len(CODE) < 330


def test_another_key_did_not_sign_it():
    assert not read(CODE, SigningKey.from_seed(b"x" * 32).public)[1]


def test_no_character_can_be_changed():
    body = CODE.index(":") + 1
    for place in range(body, len(CODE)):
        other = "A" if CODE[place] != "A" else "B"
        changed = CODE[:place] + other + CODE[place + 1 :]
        try:
            told, is_good = read(changed, KEY.public)
        except NoAttestation:
            continue
        # The last character carries bits that mean nothing.
        assert not is_good or (told, True) == read(CODE, KEY.public), place


@pytest.mark.parametrize(
    "text", ["", "hello", "stillopen-attest-1:", CODE[:60], CODE + "!"]
)
def test_what_is_no_code_is_named_so(text):
    with pytest.raises(NoAttestation):
        read(text, KEY.public)


def test_a_line_break_from_an_e_mail_does_no_harm():
    assert read(CODE[:70] + "\n " + CODE[70:], KEY.public)[1]


def test_the_command_says_what_it_found(key_file):
    done = CliRunner().invoke(app, ["attest", "verify", CODE, "--key", str(key_file)])
    assert done.exit_code == 0
    assert "lane-3" in done.output
    assert "signed by this key" in done.output
    assert f"901:{'ab' * 32}" in done.output


def test_the_command_fails_for_another_key(tmp_path):
    path = tmp_path / "other.pub"
    path.write_bytes(SigningKey.from_seed(b"x" * 32).public_pem())
    done = CliRunner().invoke(app, ["attest", "verify", CODE, "--key", str(path)])
    assert done.exit_code == 1
    assert "NOT signed" in done.output


def test_the_command_compares_the_root(key_file):
    words = ["attest", "verify", "-", "--key", str(key_file), "--root-hash", "00" * 32]
    done = CliRunner().invoke(app, words, input=CODE)
    assert done.exit_code == 1
    assert "another root" in done.output
