"""What a root says of itself: its release, its variant and whom it trusts.

All that differs between a development and a production image is written here, and it is
data: the same programs read it. A production root is of no played fleet.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from imagebuild.keys import Keys, signer_name
from imagebuild.stage import BuildError

# The back office and the release server that tests play (`imagebuild/stand.py`).
PLAYED = ("//10.0.2.102:", "//10.0.2.101:")
# What a bundle must be for: firmware, processor and partitions as this build lays out.
HARDWARE = "x86-64-v1"
_TRUSTED = {
    "update": "update-ca.pem",
    "escrow": "escrow.pub",
    "fleet": "fleet-key.pub",
}


class Words(NamedTuple):
    """A release's number, its variant, the key of what it was built from, and for which
    board it is."""

    number: str
    variant: str
    build: str
    hardware: str = HARDWARE

    def text(self) -> str:
        """Return the release file: lines as in os-release(5)."""
        return (
            f"RELEASE={self.number}\nVARIANT={self.variant}\n"
            f"HARDWARE={self.hardware}\nBUILD={self.build}\n"
        )


def write(root: Path, words: Words, keys: Keys) -> None:
    """Put a release's words and its public keys into a root.

    Raises `BuildError` for a production root whose fleet is the one that tests play.
    """
    fleet = (root / "etc/stillopen/fleet.toml").read_text()
    if words.variant == "production" and any(place in fleet for place in PLAYED):
        raise BuildError(
            "The fleet is the one that tests play. Name your own back office and"
            " release server in ansible/group_vars/all.yml."
        )
    (root / "usr/lib/stillopen-release").write_text(words.text())
    (root / "etc/hwrevision").write_text(f"stillopen {HARDWARE}\n")
    settings = root / "etc/stillopen"
    for name, file in _TRUSTED.items():
        shutil.copyfile(keys.public(name), settings / file)
        (settings / file).chmod(0o644)
    swupdate = root / "etc/swupdate.cfg"
    text = swupdate.read_text().replace("@SIGNER@", signer_name(keys))
    swupdate.write_text(text)
