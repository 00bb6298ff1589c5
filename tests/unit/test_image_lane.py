"""The image's list of Python packages is held to what a lane imports: no less, no more."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from imagebuild import prune, root
from imagebuild.lists import entries
from imagebuild.stage import PROJECT
from packaging.requirements import Requirement

# What an appliance's packages ask for and nothing on an appliance loads.
LEFT_OUT = {
    "appdirs": "escpos.config, a file of printers for its own command",
    "argcomplete": "escpos.cli, the same",
    "setuptools": "asked for by escpos, which does not import it",
    "markdown-it-py": "rich.markdown: coloured help, which cli.py does without",
    "pygments": "rich.syntax: the same",
    "pycparser": "compiles C headers; cffi's made modules need no compiler",
}
# An editable install would find in the project's folder what the copy lacks.
AS_INSTALLED = """
import sys
sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
from kiosk.cli import main
main()
"""
# In the root by Debian's package.
DEBIAN = {"kivy"}


def plain(name: str) -> str:
    """Return a package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: Path) -> dict[str, set[str]]:
    """Return the hashes of each `name==version` of a lock."""
    blocks = re.split(r"(?m)^(?=[a-z0-9])", lock.read_text())[1:]
    return {one.split()[0]: set(re.findall(r"sha256:\w+", one)) for one in blocks}


def imported() -> set[str]:
    """Return the packages that the copied tree imports, anywhere in its files."""
    tops = set()
    for name in ("kiosk", "hardware"):
        for folder, folders, files in os.walk(PROJECT / name):
            skipped = root.SKIPPED(folder, [*folders, *files])
            folders[:] = [one for one in folders if one not in skipped]
            for file in files:
                if file.endswith(".py"):
                    tops |= tops_of(Path(folder, file).read_text())
    known = packages_distributions()
    ours = {"kiosk", "hardware", *sys.stdlib_module_names}
    return {plain(known[top][0]) for top in tops - ours}


def tops_of(text: str) -> set[str]:
    """Return the first words of a file's imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                found |= {one.name.split(".")[0] for one in names}
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.split(".")[0])
            case _:
                pass
    return found


def needed(names: set[str]) -> set[str]:
    """Return packages with all that they ask for, but for what is left out."""
    found: set[str] = set()
    new = names - DEBIAN
    while new:
        found |= new
        asked = {
            plain(one.name)
            for name in new
            for one in map(Requirement, distribution(name).requires or [])
            if one.marker is None or one.marker.evaluate(LANE)
        }
        new = asked - found - LEFT_OUT.keys()
    return found


LANE = {
    "extra": "",
    "python_version": "3.13",
    "python_full_version": "3.13.5",
    "sys_platform": "linux",
    "platform_system": "Linux",
}


def test_the_lanes_lock_is_exactly_what_a_lane_imports():
    locked = {one.split("==")[0] for one in pinned(root.LANE_LOCK)}
    assert locked == needed(imported())


def test_the_lane_and_the_project_agree_on_every_version_and_hash():
    whole = pinned(PROJECT / "requirements.lock")
    for one, hashes in pinned(root.LANE_LOCK).items():
        assert hashes
        assert hashes <= whole[one], one


def test_the_languages_that_stay_are_those_the_lane_speaks():
    (stay,) = (
        set(entry.words[2:])
        for entry in entries(prune.PURGE_LIST)
        if entry.words[0] == "others" and entry.words[1].endswith("babel/locale-data")
    )
    spoken = {file.stem for file in (PROJECT / "kiosk/ui/locale").glob("*.po")}
    assert spoken
    for language in spoken:
        assert {f"{language}.dat", f"{language}_*.dat"} <= stay


@pytest.mark.parametrize("name", ["backoffice", "fleet", "bench", "simulated"])
def test_what_no_appliance_runs_is_not_copied(name):
    assert root.SKIPPED("kiosk", ["cli.py", name]) == {name}


@pytest.mark.parametrize("words", [["backoffice"], ["fleet", "list"]])
def test_an_appliance_says_that_it_has_no_back_office(tmp_path, words):
    for name in ("kiosk", "hardware"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=root.SKIPPED)
    done = subprocess.run(
        [sys.executable, "-P", "-c", AS_INSTALLED, *words],
        capture_output=True,
        timeout=60,
        text=True,
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2
    assert "this installation has no back office" in done.stderr
    assert "Traceback" not in done.stderr
