"""Which services are scored, against what, and what fails a build; no root is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from imagebuild import scores
from imagebuild.scores import Limits, Scored
from imagebuild.stage import BuildError

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a unit of every kind."""
    made = tmp_path / "root"
    etc, usr = (made / folder for folder in scores._UNITS)
    for folder in (etc / "multi-user.target.wants", usr / "sysinit.target.wants"):
        folder.mkdir(parents=True)
    for name in ("ssh.service", "nut-driver@ups.service", "getty@tty1.service"):
        (etc / "multi-user.target.wants" / name).symlink_to(f"/usr/lib/{name}")
    (usr / "sysinit.target.wants" / "systemd-sysctl.service").symlink_to("../x")
    (usr / "stillopen-lane.service").write_text("[Service]\n")
    (usr / "stillopen-sync@.service").write_text("[Service]\n")
    (etc / "emergency.service").write_text("[Service]\n")
    (etc / "getty@.service").symlink_to("/dev/null")
    for unit in ("dbus.service", "nut-driver@.service"):
        (etc / f"{unit}.d").mkdir()
        (etc / f"{unit}.d" / "50-stillopen-box.conf").write_text("[Service]\n")
    (etc / "other.service.d").mkdir()
    (etc / "other.service.d" / "10-other.conf").write_text("[Service]\n")
    return made


def test_enabled_ours_replaced_and_boxed_services_are_scored(root):
    assert scores.services(root) == [
        "dbus.service",
        "emergency.service",
        "nut-driver@ups.service",
        "ssh.service",
        "stillopen-lane.service",
    ]


def test_ours_may_do_less_than_the_vendors():
    table = scores.limits()
    assert table.ceiling("stillopen-ups-render.service") == 2.0
    assert table.ceiling("nut-server.service") == 4.5
    assert table.ceiling("stillopen-lane.service") <= 4.5


def test_every_exception_has_its_reason():
    assert all(one.reason for one in scores.limits().exceptions.values())


def given(monkeypatch, *scored: Scored) -> None:
    monkeypatch.setattr(scores, "scores", lambda root, table: list(scored))


def test_a_service_above_its_limit_fails_the_build(monkeypatch, tmp_path):
    given(monkeypatch, Scored("a.service", 4.6, 4.5), Scored("b.service", 4.5, 4.5))
    with pytest.raises(BuildError, match=r"a\.service scores 4\.6, allowed are 4\.5"):
        scores.check(tmp_path)


def test_a_program_that_takes_anothers_rights_fails_the_build(monkeypatch, tmp_path):
    given(monkeypatch)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "su").touch()
    assert scores.check(tmp_path) == []
    (tmp_path / "bin" / "su").chmod(0o4755)
    with pytest.raises(BuildError, match="bin/su takes another user's rights"):
        scores.check(tmp_path)


def test_a_table_that_is_misspelt_is_refused(tmp_path):
    file = tmp_path / "scores.toml"
    file.write_text("ours = 2.0\nvendor = 4.5\n")
    with pytest.raises(BuildError, match=r"scores\.toml"):
        scores.limits(file)


def test_the_report_is_a_table():
    assert "| a.service | 1.2 | 2.0 |" in scores.report([Scored("a.service", 1.2, 2.0)])


def test_limits_know_the_vendors():
    table = Limits(2.0, 4.5, {})
    assert table.ceiling("x.service") == 4.5
