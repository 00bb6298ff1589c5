"""Simulators in processes of their own, started and killed as tests need them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hardware.ports import Outcome, PayResult, TerminalMoment
from hardware.simulated.control import RemoteBench
from hardware.simulated.launch import start_terminal
from hardware.simulated.terminal import SimulatedTerminal


class CardTerminalOnTheDesk:
    """A terminal process with its store, and the client a lane would have."""

    def __init__(self, folder: Path) -> None:
        self.port_file = folder / "terminal.port"
        self.store = folder / "terminal.db"
        self.process: subprocess.Popen[str] | None = None
        self.bench = RemoteBench(self.port_file)
        self.driver = SimulatedTerminal(
            self.port_file, pay_seconds=20, answer_seconds=5, watch_seconds=0.05
        )

    def start(self, *extra: str) -> None:
        self.port_file.unlink(missing_ok=True)
        words = ["--step-ms", "0", "--card-ms", "20000", *extra]
        self.process = start_terminal(self.port_file, self.store, words)

    def kill(self) -> None:
        """SIGKILL: the terminal loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def tell(self, do: str, **details: object) -> object:
        return self.bench.tell("terminal", do, **details)

    def kept_minor(self) -> int:
        """Sum what shoppers paid, as the terminal's own ledger has it."""
        total = 0
        for kept in self.ledger():
            if kept["state"] == "approved" and kept["kind"] != "reversal":
                result = kept["result"]
                sign = 1 if kept["kind"] == "payment" else -1
                total += sign * result["amount_minor"]
        return total

    def ledger(self) -> list[dict[str, Any]]:
        ledger = self.tell("ledger")
        assert isinstance(ledger, list)
        return ledger


class Sink:
    """The lane's ear: notes what it is told, and says whether it is on disk."""

    def __init__(self, is_on_disk: bool = True) -> None:
        self.moments: list[TerminalMoment] = []
        self.results: list[PayResult] = []
        self.has_result = Event()
        self.may_answer = Event()
        self.may_answer.set()
        self._is_on_disk = is_on_disk

    @property
    def outcomes(self) -> list[Outcome]:
        return [result.outcome for result in self.results]

    def moment(self, moment: TerminalMoment) -> None:
        self.moments.append(moment)

    def result(self, result: PayResult) -> bool:
        self.results.append(result)
        self.has_result.set()
        assert self.may_answer.wait(10)
        return self._is_on_disk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[CardTerminalOnTheDesk]:
    """A terminal that is running, with no card in sight."""
    terminal = CardTerminalOnTheDesk(tmp_path)
    terminal.start()
    yield terminal
    terminal.kill()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def deaf_sink() -> Sink:
    """A lane that cannot say that the result is on disk."""
    return Sink(is_on_disk=False)


@pytest.fixture
def run_python() -> Iterator[Callable[[Sequence[str]], subprocess.Popen[str]]]:
    """Start Python programs that are gone when the test ends."""
    with ExitStack() as programs:

        def start(words: Sequence[str]) -> subprocess.Popen[str]:
            program = programs.enter_context(
                subprocess.Popen(
                    [sys.executable, *words], stdout=subprocess.PIPE, text=True
                )
            )
            programs.callback(program.kill)
            return program

        yield start
