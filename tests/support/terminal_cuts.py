"""Card payments that are cut short anywhere, played from one seed, on any wire.

The real driver talks to the real simulated terminal, message by message, without a
socket and in virtual time: the lane's process, the terminal's power and the wire are
cut before or after any message and any entry. `zvt_cuts` and `nexo_cuts` say how their
terminals are made, and are commands that play as many runs as one likes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol

import msgspec
from msgspec.structs import replace

from hardware.ports import (
    Answer,
    Attempt,
    CardTerminal,
    Outcome,
    PayResult,
    QueryResult,
    TerminalMoment,
)
from hardware.simulated.terminal_core import TerminalCore
from hardware.simulated.terminal_store import Kind, MemoryStore

PAYMENTS = 4
# Far more than any recovery here needs: past it the run counts as a dead end.
MOST_QUESTIONS = 200


class LaneDied(BaseException):
    """SIGKILL: no code of the lane runs after it."""


class Broken(Exception):
    """A promise was broken. The words say which, the seed plays it again."""


class Cuts:
    """Decides where something is cut; counts down over messages and entries."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left: int | None = None
        self._what = ""

    def plan(self) -> None:
        """Cut something within the next payment, or nothing."""
        self._what = self._random.choice(["lane", "terminal", "wire", "both", ""])
        self._left = self._random.randint(0, 30) if self._what else None

    def forget(self) -> None:
        """Drop a cut that did not come."""
        self._left = None

    def here(self) -> str:
        """Pass one point; return what is cut at it."""
        if self._left is None:
            return ""
        self._left -= 1
        if self._left >= 0:
            return ""
        self._left = None
        return self._what


class Terminal(Protocol):
    """One wire's terminal with its power; its store outlives both."""

    now: float
    core: TerminalCore
    store: MemoryStore

    def boot(self) -> None:
        """Power came: what was running is forgotten, what was stored is not."""

    def driver(self, cuts: Cuts) -> CardTerminal:
        """Make a driver, as a lane that has just started does."""

    def trouble(self, random: Random) -> None:
        """Let something go wrong at the terminal, or nothing."""


class Journal:
    """What survives the lane: intents, results, ends. Written as the lane writes it."""

    def __init__(self, cuts: Cuts, terminal: Terminal) -> None:
        self._cuts = cuts
        self._terminal = terminal
        self.intents: dict[str, Attempt] = {}
        self.results: dict[str, PayResult] = {}
        self.ends: dict[str, str] = {}

    def intend(self, attempt: Attempt) -> None:
        self._cut()
        self.intents[attempt.attempt_id] = attempt
        self._cut()

    def moment(self, moment: TerminalMoment) -> None:
        """Nothing is written of moments."""

    def result(self, result: PayResult) -> bool:
        self._cut()
        self.results[self.paying] = result
        self._cut()
        return True

    def _cut(self) -> None:
        what = self._cuts.here()
        if what in ("terminal", "both"):
            self._terminal.boot()
        if what in ("lane", "both"):
            raise LaneDied

    paying = ""


class Played(msgspec.Struct):
    """What one run came to."""

    sold_minor: int = 0
    cuts: int = 0
    recovered: int = 0
    declined: int = 0
    reversed: int = 0


def play(seed: int, make: Callable[[Random], Terminal]) -> Played:
    """Play one run; raises `Broken`."""
    random = Random(seed)
    cuts = Cuts(random)
    terminal = make(random)
    journal = Journal(cuts, terminal)
    played = Played()
    for number in range(PAYMENTS):
        attempt_id = f"s{seed}-{number}"
        terminal.trouble(random)
        cuts.plan()
        _pay(attempt_id, random.randint(1, 9000), terminal, cuts, journal, played)
        cuts.forget()
        if journal.ends.get(attempt_id) == "approved" and random.random() < 0.2:
            _reverse(attempt_id, terminal, cuts, journal, played)
    kept = sum(one.kept_minor for one in terminal.store.load())
    if kept != played.sold_minor:
        raise Broken(f"the terminal kept {kept}, the journal sold {played.sold_minor}")
    charged = [o for o in terminal.store.load() if o.kind is Kind.PAYMENT]
    if len({one.id for one in charged}) != len(charged):
        raise Broken("a payment was charged twice")
    return played


def _pay(
    attempt_id: str,
    minor: int,
    terminal: Terminal,
    cuts: Cuts,
    journal: Journal,
    played: Played,
) -> None:
    driver = terminal.driver(cuts)
    journal.paying = attempt_id
    try:
        mark = driver.watermark()
        if mark is None:
            return
        attempt = Attempt(attempt_id, minor, "EUR", mark)
        journal.intend(attempt)
        result = driver.pay(attempt, journal)
        outcome = result.outcome
        if outcome is Outcome.APPROVED and journal.results.get(attempt_id) is None:
            raise Broken("approved, and not on disk before")
    except LaneDied:
        outcome = Outcome.UNKNOWN
        played.cuts += 1
    if attempt_id not in journal.intents:
        return
    if outcome is Outcome.UNKNOWN:
        outcome = _recovered(attempt_id, terminal, cuts, journal, played)
    if outcome is Outcome.APPROVED:
        journal.ends[attempt_id] = "approved"
        played.sold_minor += minor
    else:
        journal.ends[attempt_id] = "not charged"
        played.declined += 1


def _asked(attempt: Attempt, terminal: Terminal, cuts: Cuts) -> Iterator[QueryResult]:
    driver = terminal.driver(cuts)
    for _ in range(MOST_QUESTIONS):
        try:
            answer = driver.query(attempt)
        except LaneDied:
            # Killed again, while it was asking.
            driver = terminal.driver(cuts)
            continue
        if answer.answer in (Answer.IN_PROGRESS, Answer.UNREACHABLE):
            # Time goes by at the terminal: a card comes, or none does.
            terminal.now += 1.0
            terminal.core.advance(terminal.now)
            continue
        yield answer
    raise Broken(f"{attempt.attempt_id} is never answered")


def _recovered(
    attempt_id: str,
    terminal: Terminal,
    cuts: Cuts,
    journal: Journal,
    played: Played,
) -> Outcome:
    attempt = journal.intents[attempt_id]
    if (known := journal.results.get(attempt_id)) is not None:
        attempt = replace(attempt, reference=known.reference)
    answer = next(_asked(attempt, terminal, cuts))
    played.recovered += 1
    match answer.answer, answer.result:
        case Answer.FOUND, PayResult() as result:
            if result.outcome is Outcome.APPROVED:
                journal.results[attempt_id] = result
            return result.outcome
        case ((Answer.NOT_CHARGED | Answer.NOT_RECEIVED), _):
            return Outcome.DECLINED
        case _:
            raise Broken(f"{attempt_id}: {answer.answer.value}")


def _reverse(
    attempt_id: str,
    terminal: Terminal,
    cuts: Cuts,
    journal: Journal,
    played: Played,
) -> None:
    known = journal.results[attempt_id]
    attempt = replace(journal.intents[attempt_id], reference=known.reference)
    cuts.plan()
    for _ in range(5):
        try:
            outcome = terminal.driver(cuts).reverse(attempt, f"{attempt_id}-r").outcome
        except LaneDied:
            outcome = Outcome.UNKNOWN
        if outcome is Outcome.UNKNOWN:
            # A reversal is queried before it is repeated (P10).
            answer = next(_asked(attempt, terminal, cuts))
            if answer.answer is Answer.NOT_CHARGED:
                outcome = Outcome.APPROVED
            elif answer.answer is not Answer.FOUND:
                raise Broken(f"{attempt_id} reversed? {answer.answer.value}")
        if outcome is Outcome.APPROVED:
            played.sold_minor -= attempt.amount_minor
            played.reversed += 1
            return
        if outcome is Outcome.DECLINED:
            raise Broken(f"{attempt_id}: a reversal was refused")
    raise Broken(f"{attempt_id} cannot be reversed")


def play_many(make: Callable[[Random], Terminal], what: str | None) -> None:
    """Play the runs that the command line asks for, and say what they came to."""
    words = argparse.ArgumentParser(description=what)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--runs", type=int, default=5000)
    asked = words.parse_args()
    total = Played()
    for seed in range(asked.seed, asked.seed + asked.runs):
        try:
            played = play(seed, make)
        except Broken as broken:
            sys.exit(f"seed {seed}: {broken}")
        for name in Played.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(played, name))
    print(
        f"{asked.runs} runs, {PAYMENTS} payments each: lane killed {total.cuts} times,"
        f" {total.recovered} ends asked for, {total.declined} not charged,"
        f" {total.reversed} reversed; the terminal's sum is the journal's in each"
    )
