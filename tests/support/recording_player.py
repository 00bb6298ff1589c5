"""A player of sound that writes down what it was given instead of playing it.

`python recording_player.py FOLDER [MODE]`: standard input becomes the next file of
FOLDER. Modes: `silent` fails as without a sound card, `hangs` reads and never ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

# What the driver plays to find the sound is shorter.
LONGEST_SILENCE = 4000


def main(folder: Path, mode_file: Path) -> int:
    """Take one sound; return the exit status."""
    mode = mode_file.read_text() if mode_file.exists() else ""
    (folder / f"{os.getpid()}.started").touch()
    if mode == "silent":
        print("ALSA lib: cannot find card '0'", file=sys.stderr)
        return 1
    heard = sys.stdin.buffer.read()
    unready = folder / f"{time.monotonic_ns()}.part"
    unready.write_bytes(heard)
    unready.rename(unready.with_suffix(".wav"))
    if mode == "hangs" and len(heard) > LONGEST_SILENCE:
        # A sound card whose driver swallows everything and never says when.
        signal.pause()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[1]) / "mode"))
