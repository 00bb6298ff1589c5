"""The units that start the updater: they agree with it, and with one another."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kiosk import cli
from kiosk.updater.store import Folders

ROLE = Path(__file__).parents[2] / "ansible" / "roles" / "updater"
UNITS = sorted((ROLE / "files").glob("stillopen-*.service"))
NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here"
)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_what_a_unit_starts_is_a_command(unit: Path) -> None:
    [line] = [s for s in unit.read_text().splitlines() if s.startswith("ExecStart=")]
    words = line.partition(" -m kiosk ")[2].split()
    result = CliRunner().invoke(cli.app, [*words, "--help"])
    assert result.exit_code == 0, result.output


def test_the_inbox_that_is_watched_is_the_one_that_is_read() -> None:
    path = (ROLE / "files" / "stillopen-updater.path").read_text()
    assert f"PathExistsGlob={Folders().inbox}/*.swu\n" in path


def test_a_file_that_cannot_be_taken_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["updater", "take", str(tmp_path / "no.swu")])
    assert result.exit_code == 1
    assert "cannot be taken" in result.output


@NEEDS_SYSTEMD
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_can_touch_little(unit: Path) -> None:
    told = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            "--no-pager",
            str(unit),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-200:]


@NEEDS_SYSTEMD
def test_no_unit_waits_for_itself(tmp_path: Path) -> None:
    wants = tmp_path / "multi-user.target.wants"
    wants.mkdir()
    for unit in (ROLE / "files").glob("stillopen-*.*"):
        if unit.suffix in (".service", ".path"):
            text = unit.read_text().replace("/usr/bin/python3", "/bin/true")
            (tmp_path / unit.name).write_text(text)
            (wants / unit.name).symlink_to(f"../{unit.name}")
    told = subprocess.run(
        ["systemd-analyze", "verify", "multi-user.target"],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "stillopen" not in told.stderr, told.stderr
