"""A running lane takes what the world throws at it: floods, words out of turn, a clock
that jumps, names nobody should have given."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from kiosk.records.keys import SigningKey

MIB = 1024 * 1024


def resident_bytes(process):
    """Return how much memory a process holds (VmRSS)."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) * 1024


def kinds_of(shop):
    return [entry.kind for entry in shop.entries()]


def test_a_label_stream_without_an_end_neither_fills_memory_nor_stops_the_lane(shop):
    lane = shop.open()
    shop.until_shown("Idle")
    # The screen is up before the scanner's port is open.
    shop.until(lambda: "DeviceChanged" in kinds_of(shop), "a scanner")
    shop.scanner.type(shop.LIST[0])
    shop.until_shown("Scanning")
    before = resident_bytes(lane)
    piece = b"1234567890" * 6554
    for _ in range(16 * MIB // len(piece)):
        shop.scanner.send(piece)
    # The end of the flood, and then a label as if nothing had been.
    shop.scanner.send(b"\r\n")
    shop.scanner.type(shop.LIST[1])
    shop.until(lambda: shop.shown()[-1][2] == 2, "second item")
    assert resident_bytes(lane) - before < 4 * MIB
    assert kinds_of(shop).count("LabelUnreadable") <= 1
    shop.kill(lane)


def test_words_out_of_turn_on_the_lanes_socket_are_no_trouble(shop):
    key = shop.folder / "server.pub"
    key.write_bytes(SigningKey.create(shop.folder / "server.key").public_pem())
    url = 'server_url = "http://127.0.0.1:1"'
    shop.configure(more=f'[sync]\nserver_key = "{key}"\n{url}')
    lane = shop.open()
    shop.until_shown("Idle")
    path = shop.state / "lane.sock"
    shop.until(path.exists, "lane's socket")
    for words in (b"", b"\xff" * 64, b"{}", b"[" * 100_000, b"\0" * MIB):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(path))
            try:
                link.sendall(words)
                link.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It hung up on us: that is an answer.
    shop.scanner.type(shop.LIST[0])
    shop.until_shown("Scanning")
    assert "Traceback" not in shop.said()
    shop.kill(lane)
