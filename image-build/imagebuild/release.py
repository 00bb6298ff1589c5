"""What a root says of itself: its release, its variant and whom it trusts.

All that differs between a development and a production image is written here, and it is
data: the same programs read it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from imagebuild.keys import Keys, signer_name
from imagebuild.stage import PROJECT

# Trees that mirror the root: what one variant has in place of what the roles wrote.
VARIANTS = PROJECT / "image-build" / "variants"
# What a bundle must be for: firmware, processor and partitions as this build lays out.
HARDWARE = "x86-64-v1"
_TRUSTED = {
    "update": "update-ca.pem",
    "escrow": "escrow.pub",
    "fleet": "fleet-key.pub",
}


class Words(NamedTuple):
    """A release's number, its variant, and the key of what it was built from."""

    number: str
    variant: str
    build: str

    def text(self) -> str:
        """Return the release file: lines as in os-release(5)."""
        return (
            f"RELEASE={self.number}\nVARIANT={self.variant}\n"
            f"HARDWARE={HARDWARE}\nBUILD={self.build}\n"
        )


def write(root: Path, words: Words, keys: Keys) -> None:
    """Put a release's words, its variant's files and its public keys into a root."""
    over = VARIANTS / words.variant
    for source in sorted(over.rglob("*")):
        target = root / source.relative_to(over)
        if source.is_file():
            # What the roles wrote keeps its owner and its rights.
            target.write_bytes(source.read_bytes())
    (root / "usr/lib/stillopen-release").write_text(words.text())
    (root / "etc/hwrevision").write_text(f"stillopen {HARDWARE}\n")
    settings = root / "etc/stillopen"
    for name, file in _TRUSTED.items():
        shutil.copyfile(keys.public(name), settings / file)
        (settings / file).chmod(0o644)
    swupdate = root / "etc/swupdate.cfg"
    text = swupdate.read_text().replace("@SIGNER@", signer_name(keys))
    swupdate.write_text(text)
