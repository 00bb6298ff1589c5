"""What a taken-over camera process could still do: nothing but talk to its lane."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HAS_LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) >= 1
landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="the kernel has no Landlock")

TRY = """
import os, socket, sys
from pathlib import Path
from hardware.scanner.confine import confine
from hardware.scanner.source import parse_source
confine(parse_source(sys.argv[1]))
try:
    {act}
except OSError as error:
    print("refused:", error.strerror)
except MemoryError:
    print("refused: memory")
else:
    print("done")
"""


def tried(act, source):
    """Do something in a confined process; return what became of it."""
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(act=act), source],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    return done.stdout.strip() or done.stderr


@pytest.fixture
def watched(tmp_path):
    folder = tmp_path / "held up"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"picture")
    (tmp_path / "secret").write_text("of the shop")
    return f"watch:{folder}"


@pytest.mark.parametrize(
    "act",
    [
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        ".sendto(b'x', ('127.0.0.1', 9))",
        "bytearray(2 * 1024**3)",
    ],
    ids=["connect", "datagram", "memory"],
)
def test_it_reaches_no_network_and_takes_little_memory(act, watched):
    assert tried(act, watched).startswith("refused")


@landlock
@pytest.mark.parametrize(
    "act",
    [
        "Path(sys.argv[1][6:]).parent.joinpath('secret').read_text()",
        "Path('/etc/passwd').read_text()",
        "Path(sys.argv[1][6:], 'new.png').touch()",
        "Path(sys.argv[1][6:], '1.png').write_bytes(b'other')",
        "Path(sys.argv[1][6:]).parent.joinpath('secret').unlink()",
        "Path(sys.argv[1][6:]).rename('/tmp/elsewhere')",
        "os.mkdir('/tmp/of-the-camera')",
    ],
    ids=["read", "passwords", "create", "overwrite", "remove", "move", "folder"],
)
def test_it_reads_and_changes_no_file_but_the_pictures_it_is_shown(act, watched):
    assert tried(act, watched).startswith("refused")


def test_it_sees_the_pictures_and_may_take_away_what_it_has_shown(watched):
    act = "p = Path(sys.argv[1][6:], '1.png'); p.read_bytes(); p.unlink()"
    assert tried(act, watched) == "done"


@landlock
def test_a_video_is_read_and_not_touched(tmp_path):
    (tmp_path / "shop.avi").write_bytes(b"video")
    source = f"video:{tmp_path / 'shop.avi'}"
    assert tried("Path(sys.argv[1][6:]).read_bytes()", source) == "done"
    assert tried("Path(sys.argv[1][6:]).unlink()", source).startswith("refused")
