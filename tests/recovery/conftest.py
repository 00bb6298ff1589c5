"""Real processes: a lane that is killed, and devices that live on.

The lanes of one module are forked from one loaded process (`killable_lane.py`); the
simulated terminal and printer are processes of their own, as in a shop.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from heard import free_port

from hardware.simulated.control import RemoteBench
from hardware.simulated.launch import start_printer, start_terminal
from hardware.simulated.scanner import SimulatedScanner
from kiosk.domain import body as bodies
from kiosk.domain.effects import SaleMade
from kiosk.domain.events import ItemFound, Restarted
from kiosk.domain.modes import basket_of
from kiosk.domain.state import Lane
from kiosk.domain.tender import Sale
from kiosk.records.documents import DeviceChoice, Documents
from kiosk.records.journal import Entry, JournalReader
from kiosk.records.rotation import journal_files
from kiosk.records.verify import verify_all
from kiosk.runner import recover

MILK, BREAD = "9520000000011", "9520000000028"
CATALOG = f"""item_id,gtin,name_en,price,tax_class
,{MILK},Whole milk,1.29,standard
,{BREAD},Rye bread,3.49,standard
"""
SETTINGS = """
lane_id = "lane-1"
state_dir = "{state}"
catalog = "{catalog}"
{top}

[store]
name = ["Corner Shop"]
currency = "EUR"
timezone = "Europe/Berlin"

[tax]
inclusive = true
rates = [{{ tax_class = "standard", rate_ppm = 190000, letter = "A" }}]

[limits]
# The tests ask a terminal again sooner than a shop would.
query_seconds = 0.1

[devices.scanner]
driver = "serial"
port = "{scanner}"

[devices.printer]
driver = "simulated"
port_file = "{printer}"

[devices.terminal]
{terminal}
{more}
"""


# How a lane finds the terminal on each of its wires.
PLAIN = """driver = "simulated"
port_file = "{port_file}"
"""
ZVT = """driver = "zvt_tcp"
host = "127.0.0.1"
port = {port}
password_file = "{secret}"
idle_apart_seconds = 0
answers_apart_seconds = 0
dialogue_seconds = 5
"""
NEXO = """driver = "nexo_local"
host = "127.0.0.1"
port = {port}
passphrase_file = "{secret}"
key_name = "lane"
poi_id = "V400m-347374578"
sale_id = "lane-1"
root_certificate = "{root}"
environment = "test"
answers_apart_seconds = 0
"""
WIRES = {
    "plain": (PLAIN, ""),
    "zvt": (ZVT, "123456"),
    "nexo": (NEXO, "Simulated+Lane1"),
}


class Terminal:
    """A card terminal process on one wire; its store outlives it."""

    def __init__(self, folder: Path, *words: str, wire: str = "plain") -> None:
        self.wire = wire
        self.port_file = folder / "terminal.port"
        self._store = folder / "terminal.db"
        self._port = free_port()
        self._secret = folder / "terminal.secret"
        self._settings, secret = WIRES[wire]
        self._secret.write_text(secret)
        self._bench = RemoteBench(self.port_file)
        self._process: subprocess.Popen[str] | None = None
        self.start(*words)

    def start(self, *words: str) -> None:
        self.port_file.unlink(missing_ok=True)
        given = ["--wire", self.wire, "--step-ms", "0", "--ack-ms", "300", *words]
        if self.wire != "plain":
            # A lane's settings outlive the terminal's process.
            given += ["--port", str(self._port)]
        if self.wire == "nexo":
            given += ["--passphrase-file", str(self._secret)]
        self._process = start_terminal(self.port_file, self._store, given)

    def settings(self) -> str:
        """Return its table of lane.toml."""
        return self._settings.format(
            port_file=self.port_file,
            port=self._port,
            secret=self._secret,
            root=self._store.with_suffix(".tls") / "root.pem",
        )

    def kill(self) -> None:
        """SIGKILL: it loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def tell(self, do: str, **details: object) -> Any:
        return self._bench.tell("terminal", do, **details)

    def ledger(self) -> list[dict[str, Any]]:
        ledger = self.tell("ledger")
        assert isinstance(ledger, list)
        return ledger


class Printer:
    """A receipt printer process."""

    def __init__(self, folder: Path) -> None:
        self.port_file = folder / "printer.port"
        self._bench = RemoteBench(self.port_file)
        self._process = start_printer(self.port_file, folder / "receipts")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def tell(self, do: str, **details: object) -> Any:
        return self._bench.tell("printer", do, **details)

    def receipts(self) -> list[dict[str, str]]:
        receipts = self.tell("receipts")
        assert isinstance(receipts, list)
        return receipts


class Loaded:
    """The process that lanes are forked from."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._lane = 0
        with log.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("killable_lane.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )

    def fork(self, **order: object) -> int:
        """Start a lane and return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._lane = self._answer()
        return self._lane

    def ended(self) -> int:
        """Wait for the lane's end; its status, below zero for a signal."""
        status = self._answer()
        self._lane = 0
        return status

    def clear(self) -> None:
        """End the lane that a failed test left behind."""
        if self._lane:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._lane, signal.SIGKILL)
            self.ended()

    def stop(self) -> None:
        self.clear()
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.log.read_text()
        return int(line)


class Shop:
    """One lane's disk and settings, and what its devices kept of this test alone."""

    LIST = (MILK, BREAD)

    def __init__(
        self, folder: Path, loaded: Loaded, terminal: Terminal, printer: Printer
    ) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.settings = folder / "lane.toml"
        self.catalog = folder / "catalog.csv"
        self.terminal = terminal
        self.printer = printer
        self.scanner = SimulatedScanner(folder / "scanner")
        self.scanner.plug()
        self.catalog.write_text(CATALOG, encoding="utf-8")
        self.configure()
        self._loaded = loaded
        self._lanes = 0
        self._charged_before = len(terminal.ledger())
        self._printed_before = len(printer.receipts())

    def close(self) -> None:
        """Leave nothing of this test running."""
        self._loaded.clear()
        self.scanner.unplug()

    def configure(self, top: str = "", more: str = "") -> None:
        """Write lane.toml."""
        text = SETTINGS.format(
            state=self.state,
            catalog=self.catalog,
            scanner=self.scanner.link,
            printer=self.printer.port_file,
            terminal=self.terminal.settings(),
            top=top,
            more=more,
        )
        self.settings.write_text(text, encoding="utf-8")
        if self.terminal.wire == "zvt":
            # As `kiosk devices commission terminal` leaves it behind.
            folder = self.state / "documents"
            folder.mkdir(parents=True, exist_ok=True)
            choice = DeviceChoice("zvt_tcp", {"terminal_id": "29001006"})
            Documents(folder).choose_device("terminal", choice)

    # -- the lane ------------------------------------------------------------

    def open(self, *labels: str, die_at: str = "") -> int:
        """Start a lane with a shopper; return its process id."""
        self._lanes += 1
        return self._loaded.fork(
            settings=str(self.settings),
            notes=str(self._notes_file()),
            labels=labels,
            die_at=die_at,
        )

    def until_shown(self, mode: str, moment: str = "") -> None:
        """Wait until the newest lane's screen shows a mode."""
        self.until(lambda: self._screen() == (mode, moment), f"{mode} {moment}")

    def until_gone(self, path: Path) -> None:
        """Wait until a file is not there any more."""
        self.until(lambda: not path.exists(), f"{path} gone")

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        tick, deadline = threading.Event(), time.monotonic() + 20
        while not is_so():
            why = f"no {what}, but {self._screen()}; {self.said()[-2000:]}"
            assert time.monotonic() < deadline, why
            tick.wait(0.01)

    def _screen(self) -> tuple[str, str]:
        shown = [line for line in self._notes() if line.startswith("shown ")]
        words = shown[-1].split(" ") if shown else ["", "", "", "", ""]
        return words[2], words[4]

    def ended(self) -> int:
        """Wait for the lane's end, and return its status."""
        return self._loaded.ended()

    def buy(self, die_at: str = "") -> int:
        """Let a shopper buy milk and bread until they leave or the lane is dead."""
        self.open(*self.LIST, die_at=die_at)
        return self.ended()

    def kill(self, lane: int) -> None:
        """Pull the lane's plug."""
        os.kill(lane, signal.SIGKILL)
        assert self.ended() == -signal.SIGKILL

    def said(self) -> str:
        """Return what lanes wrote on standard error."""
        return self._loaded.log.read_text()

    def steps(self) -> list[str]:
        """Return the steps that the newest lane passed."""
        return [line[5:] for line in self._notes() if line.startswith("step ")]

    def shown(self) -> list[tuple[int, str, int]]:
        """Return what the newest lane's screen showed: entry, mode, lines held."""
        shown = [line.split() for line in self._notes() if line.startswith("shown ")]
        return [(int(seq), mode, int(held)) for _, seq, mode, held, *_ in shown]

    def _notes_file(self) -> Path:
        return self.folder / f"notes-{self._lanes}"

    def _notes(self) -> list[str]:
        # A line that a SIGKILL cut short was never written: writes are whole.
        path = self._notes_file()
        return path.read_text().splitlines() if path.exists() else []

    # -- the books -----------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Return the whole journal."""
        found: list[Entry] = []
        for path in journal_files(self.state / "journal"):
            with JournalReader(path) as reader:
                found += reader.entries(reader.first_seq)
        return found

    def story(self) -> list[Lane]:
        """Return the lane after each entry; the first is the lane before all."""
        lanes = [Lane()]
        for entry in self.entries():
            lanes.append(recover([entry], lanes[-1]))
        return lanes

    def charges(self) -> list[dict[str, Any]]:
        """Return what the terminal keeps of this test's payments."""
        ledger = self.terminal.ledger()[self._charged_before :]
        return [one for one in ledger if one["state"] == "approved"]

    def receipts(self, at_least: int = 0) -> list[dict[str, str]]:
        """Return this test's receipts, as soon as there are so many."""
        self.printer.tell("wait_for_receipts", count=self._printed_before + at_least)
        return self.printer.receipts()[self._printed_before :]

    def sales(self) -> list[Sale]:
        """Return the sales in the journal."""
        told = [bodies.decode(entry.body) for entry in self.entries()]
        facts = [fact for one in told if one for fact in one.facts]
        return [fact.sale for fact in facts if isinstance(fact, SaleMade)]

    def check_screen(self) -> None:
        """Assert that the newest lane never showed what is not on disk (I1)."""
        story = self.story()
        for seq, mode, held in self.shown():
            assert seq < len(story), f"entry {seq} was shown and is not on disk"
            basket = basket_of(story[seq].mode)
            assert type(story[seq].mode).__name__ == mode
            assert (len(basket.standing) if basket else 0) == held

    def check_books(self) -> Sale:
        """Assert that journal and terminal agree on exactly one sale; return it."""
        verdicts = verify_all(journal_files(self.state / "journal"))
        assert [v.problem for v in verdicts if not v.ok] == []
        (sale,) = self.sales()
        (charge,) = self.charges()
        assert charge["kind"] == "payment"
        assert charge["result"]["amount_minor"] == sale.figures.total_minor
        if self.terminal.wire != "zvt":
            # ZVT carries no id of the lane's.
            assert charge["id"] == sale.attempt_id
        return sale

    def check_baskets(self) -> None:
        """Assert that no restart changed a basket, and that there was only one."""
        story = self.story()
        found = set()
        for number, entry in enumerate(self.entries()):
            told = bodies.decode(entry.body)
            assert told is not None
            match told.event:
                case Restarted():
                    before = basket_of(story[number].mode)
                    assert basket_of(story[number + 1].mode) == before
                case ItemFound():
                    # Where it was ignored there is no basket after it.
                    if basket := basket_of(story[number + 1].mode):
                        found.add(basket.basket_id)
                case _:
                    pass
        assert len(found) == 1

    def check_bought(self, prints: int = 1) -> None:
        """Assert that one sale was made, charged and printed, whatever happened."""
        sale = self.check_books()
        self.check_baskets()
        self.check_screen()
        self.check_paper(sale, prints)

    def check_paper(self, sale: Sale, prints: int) -> None:
        """Assert that the shopper has the whole receipt, and no second original."""
        receipts = self.receipts(at_least=prints)
        whole = [r["text"] for r in receipts if r["end"] == "cut"]
        assert whole, receipts
        for text in whole:
            assert f"lane-1 #{sale.sale_seq}" in text
            assert "Whole milk" in text
            assert "4.78" in text
            assert "Thank you" in text
        assert sum("COPY" not in text for text in whole) <= 1
        if len(receipts) > 1:
            assert all("COPY" in text for text in whole[1:]), whole


# -- fixtures ----------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    process = Loaded(tmp_path_factory.mktemp("loaded") / "lanes.log")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def printer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Printer]:
    process = Printer(tmp_path_factory.mktemp("printer"))
    yield process
    process.kill()


@pytest.fixture(scope="module")
def quick_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal to which cards come by themselves."""
    folder = tmp_path_factory.mktemp("terminal")
    process = Terminal(folder, "--auto-present-ms", "0")
    yield process
    process.kill()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal of this test's own, with no card in sight."""
    process = Terminal(tmp_path)
    yield process
    process.kill()


@pytest.fixture
def shop(
    tmp_path: Path, loaded: Loaded, quick_terminal: Terminal, printer: Printer
) -> Iterator[Shop]:
    """A shop where cards come by themselves."""
    made = Shop(tmp_path, loaded, quick_terminal, printer)
    yield made
    made.close()


@pytest.fixture
def slow_shop(
    tmp_path: Path, loaded: Loaded, terminal: Terminal, printer: Printer
) -> Iterator[Shop]:
    """A shop where the test holds the card."""
    made = Shop(tmp_path, loaded, terminal, printer)
    yield made
    made.close()


@pytest.fixture(params=["zvt", "nexo"])
def wired_shop(
    request: pytest.FixtureRequest, tmp_path: Path, loaded: Loaded, printer: Printer
) -> Iterator[Shop]:
    """A shop whose terminal speaks a real wire, with no card in sight."""
    terminal = Terminal(tmp_path, wire=request.param)
    made = Shop(tmp_path, loaded, terminal, printer)
    yield made
    made.close()
    terminal.kill()


@pytest.fixture
def slow_printer_shop(
    tmp_path: Path, loaded: Loaded, quick_terminal: Terminal
) -> Iterator[Shop]:
    """A shop whose printer takes its time for each line."""
    printer = Printer(tmp_path)
    printer.tell("slow", line_ms=50)
    made = Shop(tmp_path, loaded, quick_terminal, printer)
    yield made
    made.close()
    printer.kill()


@pytest.fixture
def run_kiosk() -> Any:
    """Run the real program to its end."""

    def run(*words: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kiosk", *words],
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    return run
