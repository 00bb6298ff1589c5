"""What a machine knows of its own release and of its last update."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.running import Running, running, slot_and_outcome


def test_the_release_file_says_what_runs(tmp_path: Path):
    path = tmp_path / "stillopen-release"
    path.write_text(
        "# made by the build\nRELEASE=1.2.3\nVARIANT=production\n"
        "HARDWARE='x86-64-v1'\nCOMMIT=\"abc\"\nNEWER=word\n"
    )
    assert running(path) == Running("1.2.3", "x86-64-v1")
    path.write_bytes(b"RELEASE='\xff\n=\n")
    assert running(path) == Running()
    assert running(tmp_path / "none") == Running()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            '{"phase": "fallen_back", "release": "1.3.0", "running_slot": "A",'
            ' "reason": "no_frame", "later": 1}',
            ("A", "fallen_back 1.3.0 no_frame"),
        ),
        (
            '{"phase": "kept", "release": "1.3.0", "running_slot": null}',
            ("0123456789ab", "kept 1.3.0"),
        ),
        ("{", ("0123456789ab", "")),
        ('{"phase": 3}', ("0123456789ab", "")),
    ],
)
def test_the_updater_s_last_word_is_told(
    tmp_path: Path, status: str, expected: tuple[str, str]
):
    command_line, said = tmp_path / "cmdline", tmp_path / "status.json"
    command_line.write_text("quiet stillopen.roothash=0123456789abcdef ro\n")
    said.write_text(status)
    assert slot_and_outcome(said, command_line) == expected


def test_a_machine_without_an_updater_says_nothing(tmp_path: Path):
    assert slot_and_outcome(tmp_path / "a", tmp_path / "b") == ("", "")
