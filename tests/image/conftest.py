"""The image's tests boot it. `make test-image` runs them; nothing else collects them."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance_setup import GOODS, LANE_TOML, commission
from imagebuild.machine import FIRMWARE
from imagebuild.stand import Stand, copy

PROJECT = Path(__file__).parents[2]
OUT = PROJECT / "var" / "test-image"
# As make test-image says: without it, this folder has no tests.
collect_ignore_glob = [] if os.environ.get("STILLOPEN_IMAGE") else ["test_*.py"]
# Two testers at once: whoever comes last should not come late.
_LONGEST_FIRST = (
    *("trials", "power_cuts", "strangers", "stick", "ups", "block_log", "updating"),
    *("selling", "touch", "first_steps", "data", "refusals", "rot"),
)
# What a machine is made of, and the Debian package that it comes from.
_NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "swtpm": "swtpm",
    "mcopy": "mtools",
    "cryptsetup": "cryptsetup-bin",
    "debugfs": "e2fsprogs",
    "sfdisk": "fdisk",
    "tesseract": "tesseract-ocr",
}


def pytest_configure(config: pytest.Config) -> None:
    """Say what is missing before there are testers: theirs would not be heard."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        # A run of every folder reads this file in its testers alone.
        sys.orig_argv[:] = told.get("typed", sys.orig_argv)
    if not os.environ.get("STILLOPEN_IMAGE") or told is not None:
        return
    missing = [package for tool, package in _NEEDED.items() if not shutil.which(tool)]
    if not FIRMWARE.is_dir():
        missing.append("ovmf")
    if missing:
        raise pytest.UsageError(
            "Programs are missing that boot the image. Install them by\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}"
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each tester (pytest-xdist) what was typed: its figures name that command."""
    node.workerinput["typed"] = sys.orig_argv


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest module; tests of a module stay in their order.

    A module that is not named comes last. Pytest gives it every test of the run: those of
    other folders stay where they are.
    """
    turns = {name: turn for turn, name in enumerate(_LONGEST_FIRST)}
    here = Path(__file__).parent
    last = len(turns)
    items.sort(
        key=lambda one: turns.get(_module(one), last) if one.path.parent == here else -1
    )


def _module(item: pytest.Item) -> str:
    return item.path.stem.removeprefix("test_")


@pytest.fixture(scope="session")
def disk() -> Path:
    """The shipped disk, as the build left it."""
    return Path(os.environ["STILLOPEN_IMAGE"])


def _folder(request: pytest.FixtureRequest) -> Path:
    folder: Path = OUT / f"{_module(request.node)}-{request.fixturename}"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@pytest.fixture(scope="module")
def blank(disk: Path, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A machine that never had power, in a shop that does not know it."""
    stand = Stand(disk, _folder(request), GOODS)
    yield stand
    stand.close()


@pytest.fixture(scope="session")
def commissioned(disk: Path) -> Path:
    """The folder of a machine that is a lane, with staff and a tried terminal; off."""
    OUT.mkdir(parents=True, exist_ok=True)
    # One for all who test at the same time.
    with (OUT / "commissioned.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _commissioned(disk, OUT / "commissioned")


def _commissioned(disk: Path, folder: Path) -> Path:
    # A disk's folder is named by all that went into it; first steps take minutes.
    made = folder / "made-for"
    made_for = f"{disk}\n{LANE_TOML.read_text()}"
    if made.is_file() and made.read_text() == made_for:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    stand = Stand(disk, folder, GOODS)
    try:
        commission(stand)
    finally:
        stand.close()
    made.write_text(made_for)
    return folder


@pytest.fixture(scope="module")
def stand(
    disk: Path, commissioned: Path, request: pytest.FixtureRequest
) -> Iterator[Stand]:
    """A commissioned machine of this module's own, off; and its shop."""
    folder = _folder(request)
    copy(commissioned, folder)
    stand = Stand(disk, folder, GOODS)
    yield stand
    stand.close()
