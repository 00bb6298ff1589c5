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
    return _packed(number, root, kernel, folder, image.keys)


def small(
    number: str,
    folder: Path,
    by: keys.Keys | None = None,
    hardware: str = release.HARDWARE,
) -> Path:
    """Return a signed release with hardly anything in it: for what is refused."""
    content = folder / f"{number}.content"
    content.write_bytes(number.encode() * 4096)
    by = by or keys.chosen("development")
    return _packed(number, content, content, folder, by, hardware)


def tampered(number: str, folder: Path) -> Path:
    """Return such a release with one byte of its content changed after the signing."""
    made = small(number, folder)
    content = bytearray(made.read_bytes())
    # Far behind the description: in what would be the root.
    at = content.rindex(number.encode() * 16)
    content[at] ^= 1
    made.write_bytes(content)
    return made


def truncated(number: str, folder: Path) -> Path:
    """Return such a release that ends in the middle of its kernel."""
    made = small(number, folder)
    content = made.read_bytes()
    made.write_bytes(content[: content.rindex(number.encode() * 16)])
    return made


def unsigned(number: str, folder: Path) -> Path:
    """Return such a release without its signature."""
    made = small(number, folder)
    parts = folder / f"{number}.parts"
    parts.mkdir()
    with made.open("rb") as archive:
        unpack = ["cpio", "--quiet", "-i"]
        subprocess.run(unpack, stdin=archive, cwd=parts, check=True)
    names = "sw-description\nroot.img\nkernel.efi\n"
    pack = ["cpio", "--quiet", "--create", "--format=crc", f"--file={made}"]
    subprocess.run(pack, input=names, text=True, cwd=parts, check=True)
    return made


def of_a_stranger(number: str, folder: Path) -> Path:
    """Return such a release, signed well, by somebody whom no kiosk trusts."""
    keys.make(folder / "stranger", "Somebody else")
    return small(number, folder, keys.Keys(folder / "stranger"))


def for_other_hardware(number: str, folder: Path) -> Path:
    """Return such a release that our own key signed for another board."""
    return small(number, folder, hardware="arm64-v1")


def _packed(
    number: str,
    root: Path,
    kernel: Path,
    folder: Path,
    by: keys.Keys,
    hardware: str = release.HARDWARE,
) -> Path:
    target = folder / f"stillopen-{number}.swu"
    words = release.Words(number, "development", "a test's", hardware)
    bundle.pack(root, kernel, words, by, target)
    return target
