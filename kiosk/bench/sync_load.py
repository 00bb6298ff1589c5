"""How fast a day of entries reaches the back office: over HTTP, onto both disks.

The back office runs in a process of its own, as it does in a shop.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kiosk.backoffice.app import server_key
from kiosk.domain import body
from kiosk.domain.events import HelpPressed
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import JournalDirectory
from kiosk.sync.process import Courier, SyncSettings
from kiosk.sync.push import SyncError
from kiosk.sync.socket import LaneLink

# Thirty batches; writing the journal first costs a flush for each entry.
ENTRIES = 3_000
TOKEN = "bench"  # noqa: S105  (a back office that lives for a second)

_SERVE = """
import socket, sys
from pathlib import Path
import uvicorn
from kiosk.backoffice.app import OfficeSettings, create_app
app = create_app(OfficeSettings(Path(sys.argv[1]), sys.argv[2]))
config = uvicorn.Config(app, log_level="warning")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[3]))])
"""


def measure(entries: int = ENTRIES) -> float:
    """Return how many entries a second are sent, held on disk and acknowledged."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        office = folder / "office"
        key, public = SigningKey.create(folder / "lane.key"), server_key(office).public
        _write_journal(folder / "journal", key, entries)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = subprocess.Popen(
                [sys.executable, "-c", _SERVE, office, TOKEN, str(listener.fileno())],
                pass_fds=[listener.fileno()],
            )
            try:
                port = int(listener.getsockname()[1])
                return entries / _send(folder, key, public, port)
            finally:
                server.terminate()
                server.wait()


def _write_journal(folder: Path, key: SigningKey, entries: int) -> None:
    folder.mkdir()
    content = body.encode(HelpPressed("price"), ())
    directory = JournalDirectory(folder)
    with directory.begin(lane_id="lane-1", epoch="bench", key=key) as journal:
        for number in range(entries):
            journal.append(
                "HelpPressed", content, at_ms=number, mono_ms=number, boot_id="bench"
            )


def _send(folder: Path, key: SigningKey, public: bytes, port: int) -> float:
    settings = SyncSettings(
        lane_id="lane-1",
        journal_dir=folder / "journal",
        state_dir=folder / "state",
        catalog_path=folder / "catalog.db",
        server_url=f"http://127.0.0.1:{port}",
        key_path=folder / "lane.key",
        server_key_path=folder / "office" / "server.pub",
        lane_socket=folder / "lane.sock",
        enrol_token=TOKEN,
    )
    courier = Courier(settings, key, public, LaneLink(settings.lane_socket))
    try:
        _wait_for_start(courier)
        started = time.perf_counter()
        courier.go_round()
        return time.perf_counter() - started
    finally:
        courier.close()


def _wait_for_start(courier: Courier) -> None:
    for _ in range(60):
        try:
            courier.enrol()
            return
        except SyncError:
            time.sleep(0.25)
    raise SyncError("the back office did not start", is_online=False)
