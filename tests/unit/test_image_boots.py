"""How a machine is asked where its start's time went, and how the answer is read."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from imagebuild import analyzed, boots, figures

# What came over the booted machine's serial line, some of its units left out.
SAID = Path(__file__).with_name("golden") / "systemd-analyze.log"


def credential(string: str) -> tuple[str, str]:
    """Return what firmware's string sets: a credential's name and its text."""
    prefix, _, rest = string.partition(":")
    assert prefix == "io.systemd.credential.binary"
    name, _, packed = rest.partition("=")
    return name, base64.b64decode(packed, validate=True).decode()


def test_the_lane_is_left_out_by_a_condition_and_nothing_else_is():
    name, text = credential(analyzed.without_lane())
    assert name == "systemd.unit-dropin.stillopen-lane.service"
    assert text == f"[Unit]\n{analyzed.NO_LANE}\n"


def test_systemd_is_asked_when_the_start_is_done_with():
    given = dict(credential(one) for one in analyzed.asking())
    unit = given["systemd.extra-unit.stillopen-report.service"]
    assert "ExecStart=-/usr/bin/systemctl is-system-running --wait" in unit
    wants = given["systemd.unit-dropin.multi-user.target~report"]
    assert "Wants=stillopen-report.service" in wants


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("1min 2.345s", 62.345),
        ("12.3s", 12.3),
        ("56ms", 0.056),
        ("2min 147ms", 120.147),
    ],
)
def test_lengths_of_time_are_read_as_systemd_writes_them(words, seconds):
    assert analyzed.seconds(words) == pytest.approx(seconds)


@pytest.mark.parametrize("words", ["", "soon", "1h"])
def test_what_is_no_length_of_time_is_refused(words):
    with pytest.raises(ValueError, match="no length of time"):
        analyzed.seconds(words)


def test_what_a_booted_machine_told_is_read():
    told = analyzed.analysis(SAID.read_text(encoding="utf-8"))
    assert told is not None
    assert told.startup == [
        "Startup finished in 17.319s (kernel) + 2min 30.537s (userspace)"
        " = 2min 47.857s",
        "multi-user.target reached after 1min 28.347s in userspace.",
    ]
    assert told.seconds == pytest.approx(167.857)
    assert told.blame[0] == (61.291, "stillopen-health.service")
    assert told.blame[1] == (29.496, "stillopen-lane.service")
    assert told.blame == sorted(told.blame, reverse=True)
    assert told.chain[:2] == [
        "multi-user.target @1min 28.347s",
        "└─stillopen-lane.service @58.830s +29.496s",
    ]
    assert told.chain[-1].endswith("└─dev-mapper-data.device @32.842s")


def test_a_machine_that_told_nothing_has_no_analysis():
    assert analyzed.analysis("[   12.3] systemd[1]: Reached target x.target\n") is None


def test_starts_that_were_timed_are_recorded_with_each_pair(tmp_path, monkeypatch):
    monkeypatch.setattr("imagebuild.figures.FOLDER", tmp_path)
    boots.keep([(110.0, 100.0), (126.0, 105.0)])
    kept = figures.recorded()
    assert kept["power-to-welcome"].value == 118
    assert kept["power-to-multi-user"].value == 102.5
    assert kept["power-ratio"].value == pytest.approx(1.15)
    assert kept["power-ratio"].detail == [
        "welcome 110.0 s, multi-user 100.0 s",
        "welcome 126.0 s, multi-user 105.0 s",
    ]
