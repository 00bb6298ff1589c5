"""Update bundles for the booted machine: good ones, broken ones, and those refused.

Made by the image build's own means, with the development keys. Nothing is pretended: a
release that hangs does hang.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import build
from imagebuild import bundle, keys, release
from imagebuild.kernel import Sources

CACHE = Path("var/image")
FLEET_KEY = CACHE / "keys/development/fleet.key"
# The first process of all reads a line that never comes: nothing feeds the watchdog
# that the boot loader armed.
HANGS = " rdinit=/bin/cat"
# Everything is there but the picture.
FRAMELESS = " systemd.mask=stillopen-lane.service"


def publish(made: Path, folder: Path) -> None:
    """Put a release where the machine's poller finds it."""
    command = [sys.executable, "-m", "kiosk", "fleet", "publish", str(made)]
    command += ["--to", str(folder), "--key", str(FLEET_KEY)]
    subprocess.run(command, check=True)


def with_words(number: str, words: str, folder: Path) -> Path:
    """Return a signed release of this tree whose kernel is told these words more."""
    image = build.Image("development", build.this_release())
    kernel = folder / f"{number}.efi"
    sources: Sources = image.sources
    sources.build(kernel, image.keys, words)
    root = image.root.folder / "root.img"
    return _packed(number, root, kernel, folder)


def small(number: str, folder: Path) -> Path:
    """Return a signed release with hardly anything in it: for what is refused."""
    content = folder / f"{number}.content"
    content.write_bytes(number.encode() * 4096)
    return _packed(number, content, content, folder)


def _packed(number: str, root: Path, kernel: Path, folder: Path) -> Path:
    target = folder / f"stillopen-{number}.swu"
    words = release.Words(number, "development", "a test's")
    bundle.pack(root, kernel, words, keys.chosen("development"), target)
    return target
