"""A lane program that can be killed at any step between journal and device.

    python killable_lane.py

Reads orders on its standard input, a JSON line each, and forks a whole lane for each:
the real `LaneProgram` with a shopper who looks at the screen's state in the place of
the screen. The steps are counted around the real calls; nothing in the product knows.
Forking a loaded process makes a start a matter of milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hardware.ports import (
    Attempt,
    CardTerminal,
    PaymentSink,
    PayResult,
    Scan,
    TerminalMoment,
)
from hardware.printer.escpos_printer import EscposPrinter
from hardware.simulated.terminal import SimulatedTerminal
from hardware.terminal.nexo import NexoTerminal
from hardware.terminal.zvt import ZvtTerminal
from kiosk.domain.events import PayPressed, ReceiptChosen, TenderResult
from kiosk.domain.modes import basket_of
from kiosk.domain.state import Closed, Complete, Declined, Idle, Lane, Scanning
from kiosk.effects import Effects
from kiosk.main import LaneProgram, end_program
from kiosk.records.journal import Journal
from kiosk.runner import Post
from kiosk.settings import load

# A lane that hangs is a failure of the test, not of the evening.
LONGEST_SECONDS = 40


class Order(msgspec.Struct, frozen=True):
    """What one lane shall do. `die_at` names a step; empty: live."""

    settings: str
    notes: str
    labels: tuple[str, ...] = ()
    die_at: str = ""


class Steps:
    """Counts steps by name, writes each down, and dies at one of them."""

    def __init__(self, notes: Path, die_at: str) -> None:
        self._file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._die_at = die_at
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        os.write(self._file, line.encode() + b"\n")

    def at(self, name: str) -> None:
        with self._lock:
            self._seen[name] += 1
            step = f"{name} {self._seen[name]}"
            self.write(f"step {step}")
            if step == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, do: Callable[[], Any]) -> Any:
        self.at(f"before {name}")
        done = do()
        self.at(f"after {name}")
        return done


class CountedSink:
    """A payment's sink, with a step before and after the result is handed over."""

    def __init__(self, sink: PaymentSink, steps: Steps) -> None:
        self._sink = sink
        self._steps = steps

    def moment(self, moment: TerminalMoment) -> None:
        self._sink.moment(moment)

    def result(self, result: PayResult) -> bool:
        is_on_disk = self._steps.around("result", lambda: self._sink.result(result))
        return bool(is_on_disk)


def count(steps: Steps) -> None:
    """Put steps around everything between journal and device."""
    append, on_disk = Journal.append, Effects.on_disk
    print_rows = EscposPrinter.print

    def counted_append(self: Journal, kind: str, body: bytes, **about: Any) -> Any:
        do = lambda: append(self, kind, body, **about)  # noqa: E731
        return steps.around(f"append {kind}", do)

    def counted_on_disk(self: Effects, event: Any) -> None:
        if isinstance(event, TenderResult):
            steps.around("on_disk", lambda: on_disk(self, event))
        else:
            on_disk(self, event)

    def counted_print(self: EscposPrinter, rows: Any) -> None:
        steps.around("print", lambda: print_rows(self, rows))

    Journal.append = counted_append  # type: ignore[method-assign]  # the seam
    Effects.on_disk = counted_on_disk  # type: ignore[method-assign]
    EscposPrinter.print = counted_print  # type: ignore[method-assign]
    for driver in (SimulatedTerminal, ZvtTerminal, NexoTerminal):
        count_driver(driver, steps)


def count_driver(driver: Any, steps: Steps) -> None:
    """Put steps around what a lane asks of one kind of card terminal."""
    mark, pay, query = driver.watermark, driver.pay, driver.query

    def counted_mark(self: CardTerminal) -> Any:
        # The driver's own watch asks for the mark too: that is no step of a sale.
        if threading.current_thread().name != "terminal":
            return mark(self)
        return steps.around("watermark", lambda: mark(self))

    def counted_pay(self: CardTerminal, attempt: Attempt, sink: PaymentSink) -> Any:
        counted = CountedSink(sink, steps)
        return steps.around("pay", lambda: pay(self, attempt, counted))

    def counted_query(self: CardTerminal, attempt: Attempt) -> Any:
        return steps.around("query", lambda: query(self, attempt))

    driver.watermark, driver.pay = counted_mark, counted_pay
    driver.query = counted_query


class Shopper:
    """Buys what is on the list, pays by card and takes a receipt on paper.

    Looks at the lane and nothing else, so that a shopper whose lane went dark goes
    on from what it shows when it is back.
    """

    def __init__(self, labels: tuple[str, ...], steps: Steps) -> None:
        self._labels = labels
        self._steps = steps
        self._done: set[tuple[object, ...]] = set()
        self.post: Callable[[Post], None] = lambda item: None
        self.has_left = threading.Event()

    def show(self, lane: Lane) -> None:
        basket = basket_of(lane.mode)
        held = len(basket.standing) if basket else 0
        mode = type(lane.mode).__name__
        moment = getattr(lane.mode, "moment", "")
        self._steps.write(f"shown {lane.seq} {mode} {held} {moment}")
        match lane.mode:
            case Closed():
                # What was scanned did not count: later, then.
                self._done.clear()
            case Idle() if lane.recent_sales:
                if not lane.receipts_owed:
                    self.has_left.set()
            case Idle() if self._labels:
                self._scan(0)
            case Scanning() if held < len(self._labels):
                self._scan(held)
            case Scanning() | Declined() if self._labels:
                attempts = len(lane.ledger)
                is_out = lane.devices.get("terminal") == "absent"
                self._once(PayPressed(), "pay", attempts, is_out)
            case Complete(stage="ask"):
                self._once(ReceiptChosen("paper"), "paper")
            case Complete(stage="done" | "failed"):
                self.has_left.set()
            case _:
                pass

    def _scan(self, number: int) -> None:
        label = self._labels[number].encode()
        self._once(Scan(label), "scan", number)

    def _once(self, item: Post, *why: object) -> None:
        if why not in self._done:
            self._done.add(why)
            self.post(item)


def live(order: Order) -> None:
    """Be a lane until the shopper has left, or for good when there is none."""
    signal.alarm(LONGEST_SECONDS)
    threading.excepthook = end_program
    steps = Steps(Path(order.notes), order.die_at)
    count(steps)
    shopper = Shopper(order.labels, steps)
    program = LaneProgram(load(Path(order.settings)), shopper.show)
    shopper.post = program.runner.post
    program.start()
    steps.write("started")
    shopper.has_left.wait()
    program.close()


def main() -> None:
    """Fork a lane for each order, and say how it ended."""
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            status = 70
            try:
                live(order)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), flush=True)


if __name__ == "__main__":
    main()
