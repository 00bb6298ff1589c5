"""The update bundle: one signed file that SWUpdate writes into the slot not running.

Says which hardware and release it is for, and what each file's bytes must be. Carries no
script: all a bundle can do is to fill a slot and name it as the next to be tried.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from imagebuild.disk import WATCHDOG_SECONDS
from imagebuild.keys import Keys
from imagebuild.release import Words
from imagebuild.stage import BuildError, Stage, run

# Slot, its root partition, its boot partition: `swupdate -e stable,slot_b`.
SLOTS = (("slot_a", "ROOT_A", "BOOT0"), ("slot_b", "ROOT_B", "BOOT1"))
# What a shop's line carries in a night beside the day's sales.
MOST_BYTES = 300 * 1024**2
_DESCRIPTION = """\
software = {{
  version = "{release}";
  description = "Stillopen {release}, {variant}";
  hardware-compatibility: [ "{hardware}" ];
  stable = {{
{slots}  }};
}}
"""
_SLOT = """\
    {slot}: {{
      images: ( {{
        filename = "root.img";
        type = "raw";
        device = "/dev/disk/by-partlabel/{root}";
        installed-directly = true;
        sha256 = "{root_sha}";
      }} );
      files: ( {{
        filename = "kernel.efi";
        type = "rawfile";
        path = "/k.efi";
        device = "/dev/disk/by-partlabel/{boot}";
        filesystem = "vfat";
        sha256 = "{kernel_sha}";
      }} );
      bootenv: (
        {{ name = "kernelfile"; value = "C:{boot}:k.efi"; }},
        {{ name = "kernelparams"; value = ""; }},
        {{ name = "watchdog_timeout_sec"; value = "{watchdog}"; }}
      );
    }};
"""


def describe(words: Words, root_sha: str, kernel_sha: str) -> str:
    """Return the bundle's `sw-description`."""
    slots = "".join(
        _SLOT.format(
            slot=slot,
            root=root,
            boot=boot,
            root_sha=root_sha,
            kernel_sha=kernel_sha,
            watchdog=WATCHDOG_SECONDS,
        )
        for slot, root, boot in SLOTS
    )
    return _DESCRIPTION.format(
        release=words.number,
        variant=words.variant,
        hardware=words.hardware,
        slots=slots,
    )


def pack(root: Path, kernel: Path, words: Words, keys: Keys, target: Path) -> None:
    """Write a signed bundle."""
    folder = target.parent / f"{target.name}.parts"
    folder.mkdir()
    for name, source in (("root.img", root), ("kernel.efi", kernel)):
        (folder / name).symlink_to(source.resolve())
    description = folder / "sw-description"
    description.write_text(describe(words, _sha(root), _sha(kernel)))
    run(
        [
            *("openssl", "cms", "-sign", "-in", str(description)),
            *("-out", f"{description}.sig", "-signer", str(keys.public("update"))),
            *("-inkey", str(keys.private("update")), "-outform", "DER"),
            *("-nosmimecap", "-binary"),
        ]
    )
    # What describes the bundle, and its signature, come first.
    names = ("sw-description", "sw-description.sig", "root.img", "kernel.efi")
    run(
        [
            *("cpio", "--quiet", "--create", "--format=crc", "--dereference"),
            *("--owner=0:0", "--reproducible", f"--file={target.resolve()}"),
        ],
        folder=folder,
        told="\n".join(names) + "\n",
    )
    shutil.rmtree(folder)


def bundle(root: Stage, signed: Stage, words: Words, keys: Keys, folder: Path) -> None:
    """Make the bundle of an image."""
    target = folder / f"stillopen-{words.number}.swu"
    pack(root.folder / "root.img", signed.folder / "kernel.efi", words, keys, target)
    small_enough(target)


def small_enough(target: Path, most: int = MOST_BYTES) -> None:
    """Raise `BuildError` for a bundle that has grown beyond what it may hold."""
    held = target.stat().st_size
    if held > most:
        raise BuildError(
            f"{target.name} has {held / 1e6:.1f} MB, and may have {most / 1e6:.1f} MB.\n"
            "`sizes` beside the final root says what holds how much; see purge.list."
        )


def _sha(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
