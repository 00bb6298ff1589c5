"""Payments over ZVT that are cut short anywhere, played from one seed.

The real driver talks to the real simulated terminal, message by message, without a
socket and in virtual time: the lane's process, the terminal's power and the wire are
cut before or after any message and any entry. `python tests/support/zvt_cuts.py --runs
N --seed S` plays as many as one likes; the test suite plays some.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator
from random import Random

import msgspec
from msgspec.structs import replace

from hardware.ports import (
    Answer,
    Attempt,
    Outcome,
    PayResult,
    QueryResult,
    TerminalMoment,
)
from hardware.simulated.terminal_core import Drop, TerminalCore
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import Kind, MemoryDay, MemoryStore
from hardware.simulated.zvt_front import Twist, ZvtFront
from hardware.simulated.zvt_words import ZvtBehaviour
from hardware.terminal.zvt import Profile, ZvtTerminal
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_commands import Password
from hardware.terminal.zvt_dialogue import Timers
from hardware.terminal.zvt_link import NothingSent

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

    def here(self) -> str:
        """Pass one point; return what is cut at it."""
        if self._left is None:
            return ""
        self._left -= 1
        if self._left >= 0:
            return ""
        self._left = None
        return self._what


class Terminal:
    """The terminal and its power; the store outlives both."""

    def __init__(self, random: Random) -> None:
        self.settings = TerminalSettings(
            terminal_id="29001006",
            auto_reverse=random.random() < 0.4,
            present_after_seconds=1.0,
            ack_seconds=5.0,
        )
        self.behaviour = ZvtBehaviour(
            tells_successful_only=random.random() < 0.3,
            has_long_trace=random.random() < 0.3,
            receipt_begins_anew=random.random() < 0.3,
        )
        self.store = MemoryStore()
        self.day = MemoryDay()
        self.now = 0.0
        self.lives = 0
        self.boot()

    def boot(self) -> None:
        """Power came: what was running is forgotten, what was stored is not."""
        self.lives += 1
        self.core = TerminalCore(self.store, self.settings)
        self.front = ZvtFront(self.core, self.behaviour, self.day)

    def kept_minor(self) -> int:
        """What shoppers paid, by the terminal's own store."""
        return sum(one.kept_minor for one in self.store.load())


class Wire:
    """The driver's link, straight into the terminal's front."""

    def __init__(self, terminal: Terminal, cuts: Cuts) -> None:
        self._terminal = terminal
        self._cuts = cuts
        self._life = terminal.lives
        self._inbox: deque[Apdu] = deque()
        self._is_cut = False

    def send(self, apdu: Apdu) -> None:
        if self._is_cut or self._life != self._terminal.lives:
            raise NothingSent("the wire is cut")
        self._pass(is_sent=False)
        self._take(self._terminal.front.hear(self._terminal.now, apdu))
        self._pass(is_sent=True)

    def receive(self, seconds: float) -> Apdu | None:
        self._pass(is_sent=True)
        while not self._inbox and not self._is_cut:
            due = self._terminal.core.next_due
            if due is None:
                return None
            self._terminal.now = max(self._terminal.now, due)
            for said in self._terminal.core.advance(self._terminal.now):
                self._take(self._terminal.front.say(said))
        if self._is_cut:
            raise ConnectionError("the wire is cut")
        return self._inbox.popleft()

    def close(self) -> None:
        if self._life == self._terminal.lives:
            self._terminal.front.hung_up()

    def _take(self, said: list[Apdu | Drop]) -> None:
        for one in said:
            if isinstance(one, Drop):
                self._cut()
            else:
                self._inbox.append(one)

    def _pass(self, *, is_sent: bool) -> None:
        what = self._cuts.here()
        if what in ("terminal", "both"):
            self._terminal.boot()
            self._cut()
        if what in ("lane", "both"):
            self._terminal.front.hung_up()
            raise LaneDied
        if what == "wire":
            self._cut()
        if what:
            raise ConnectionError("cut") if is_sent else NothingSent("cut")

    def _cut(self) -> None:
        self._is_cut = True
        self._terminal.front.hung_up()


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


def play(seed: int) -> Played:
    """Play one run; raises `Broken`."""
    random = Random(seed)
    cuts = Cuts(random)
    terminal = Terminal(random)
    journal = Journal(cuts, terminal)
    played = Played()
    for number in range(PAYMENTS):
        attempt_id = f"s{seed}-{number}"
        _trouble(random, terminal)
        cuts.plan()
        _pay(attempt_id, random.randint(1, 9000), terminal, cuts, journal, played)
        cuts._left = None  # a cut that did not come does not come later
        if journal.ends.get(attempt_id) == "approved" and random.random() < 0.2:
            _reverse(attempt_id, terminal, cuts, journal, played)
    kept = terminal.kept_minor()
    if kept != played.sold_minor:
        raise Broken(f"the terminal kept {kept}, the journal sold {played.sold_minor}")
    charged = [o for o in terminal.store.load() if o.kind is Kind.PAYMENT]
    if len({one.id for one in charged}) != len(charged):
        raise Broken("a payment was charged twice")
    return played


def _trouble(random: Random, terminal: Terminal) -> None:
    fault = random.choice([None, None, Fault.DECLINE, Fault.ANSWER_LOST, Fault.CANCEL])
    if fault is not None:
        terminal.core.fail_next(Plan(fault))
    elif random.random() < 0.3:
        terminal.front.twist_next(
            random.choice(
                [
                    Twist.COMPLETION_LOST,
                    Twist.ABORT_AFTER_OK,
                    Twist.WRONG_PIN_FIRST,
                    Twist.UNKNOWN_FIELD,
                    Twist.STRANGE_COMMAND,
                ]
            )
        )


def _driver(terminal: Terminal, cuts: Cuts) -> ZvtTerminal:
    return ZvtTerminal(
        lambda: Wire(terminal, cuts),
        Profile(
            Password("123456"),
            timers=Timers(answer_seconds=0.01, dialogue_seconds=0.01),
            idle_apart_seconds=0.0,
            answers_apart_seconds=0.0,
        ),
    )


def _pay(
    attempt_id: str,
    minor: int,
    terminal: Terminal,
    cuts: Cuts,
    journal: Journal,
    played: Played,
) -> None:
    driver = _driver(terminal, cuts)
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
    driver = _driver(terminal, cuts)
    for _ in range(MOST_QUESTIONS):
        try:
            answer = driver.query(attempt)
        except LaneDied:
            # Killed again, while it was asking.
            driver = _driver(terminal, cuts)
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
        case Answer.NOT_CHARGED, _:
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
            outcome = (
                _driver(terminal, cuts).reverse(attempt, f"{attempt_id}-r").outcome
            )
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


def main() -> None:
    """Play many runs and say what they came to."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--runs", type=int, default=5000)
    asked = words.parse_args()
    total = Played()
    for seed in range(asked.seed, asked.seed + asked.runs):
        try:
            played = play(seed)
        except Broken as broken:
            sys.exit(f"seed {seed}: {broken}")
        for name in Played.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(played, name))
    print(
        f"{asked.runs} runs, {PAYMENTS} payments each: lane killed {total.cuts} times,"
        f" {total.recovered} ends asked for, {total.declined} not charged,"
        f" {total.reversed} reversed; the terminal's sum is the journal's in each"
    )


if __name__ == "__main__":
    main()
