"""What the back office is told of the machine below a lane."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.readings import Sources, slot_and_outcome

HASH = "0123456789ab"


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
            (HASH, "kept 1.3.0"),
        ),
        ("{", (HASH, "")),
        ('{"phase": 3}', (HASH, "")),
    ],
)
def test_the_updater_s_last_word_is_told(
    tmp_path: Path, status: str, expected: tuple[str, str]
):
    sources = Sources(cmdline=tmp_path / "cmdline", update=tmp_path / "status.json")
    sources.cmdline.write_text(f"quiet stillopen.roothash={HASH.ljust(64, '0')} ro\n")
    sources.update.write_text(status)
    assert slot_and_outcome(sources) == expected


def test_a_machine_without_an_updater_says_nothing(tmp_path: Path):
    sources = Sources(cmdline=tmp_path / "a", update=tmp_path / "b")
    assert slot_and_outcome(sources) == ("", "")
