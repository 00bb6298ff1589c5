"""A ring of units stops the build; the machine's own systemd is asked, on a small tree."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from imagebuild import order
from imagebuild.stage import BuildError

HAS_SYSTEMD = shutil.which("systemd-analyze") is not None
LANE = "[Unit]\nAfter=stillopen-render.service\nWants=stillopen-render.service\n"
SERVICE = "[Service]\nType=oneshot\nExecStart=/bin/true\n"


def ask(root: Path, units: list[str]) -> str:
    """Ask this machine's systemd about the tree's units alone, not in a chroot."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "SYSTEMD_UNIT_PATH": str(root / "usr/lib/systemd/system"),
            "SYSTEMD_LOG_TARGET": "console",
        },
    )
    return f"{done.stdout}{done.stderr}\nended: 0\n"


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    """Make a root in which the lane waits for a service with these words."""

    def made(render: str) -> Path:
        units = tmp_path / "usr/lib/systemd/system"
        units.mkdir(parents=True)
        (tmp_path / "etc/systemd/system").mkdir(parents=True)
        (units / "default.target").write_text(
            "[Unit]\nDefaultDependencies=no\nWants=stillopen-lane.service\n"
        )
        for name, words in (("lane", LANE), ("render", render)):
            text = f"{words}DefaultDependencies=no\n{SERVICE}"
            (units / f"stillopen-{name}.service").write_text(text)
        return tmp_path

    return made


@pytest.mark.skipif(not HAS_SYSTEMD, reason="this machine has no systemd to ask")
def test_a_ring_of_units_stops_the_build(tree):
    with pytest.raises(BuildError, match=r"ring:\n.*stillopen-"):
        order.check(tree("[Unit]\nAfter=stillopen-lane.service\n"), ask)


@pytest.mark.skipif(not HAS_SYSTEMD, reason="this machine has no systemd to ask")
def test_units_in_a_row_are_fine(tree):
    order.check(tree("[Unit]\n"), ask)


def test_the_goal_and_all_of_ours_are_asked_about(tree):
    asked: list[str] = []

    def listen(root: Path, units: list[str]) -> str:
        asked.extend(units)
        return "ended: 0\n"

    order.check(tree("[Unit]\n"), listen)
    assert asked == [
        "default.target",
        "stillopen-lane.service",
        "stillopen-render.service",
    ]


def test_a_systemd_that_could_not_tell_stops_the_build_with_its_words(tree):
    root = tree("[Unit]\n")
    told = "x.service: Failed to open x: No such file\nNo generators\nended: 1\n"
    with pytest.raises(BuildError, match=r"out:\n  No generators\n  ended: 1$"):
        order.check(root, lambda *_: told)
    with pytest.raises(BuildError):
        order.check(root, lambda *_: "")
