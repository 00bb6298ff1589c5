"""Payments over ZVT that are cut short anywhere (`terminal_cuts`).

`PYTHONPATH=. python tests/support/zvt_cuts.py --runs N --seed S` plays as many as one
likes; the test suite plays some.
"""

from __future__ import annotations

from collections import deque
from random import Random

from terminal_cuts import Cuts, LaneDied, play_many

from hardware.simulated.terminal_core import Drop, TerminalCore
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import MemoryDay, MemoryStore
from hardware.simulated.zvt_front import Twist, ZvtFront
from hardware.simulated.zvt_words import ZvtBehaviour
from hardware.terminal.zvt import Profile, ZvtTerminal
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_commands import Password
from hardware.terminal.zvt_dialogue import Timers
from hardware.terminal.zvt_link import NothingSent


class ZvtDesk:
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

    def driver(self, cuts: Cuts) -> ZvtTerminal:
        """Make a driver, as a lane that has just started does."""
        return ZvtTerminal(
            lambda: Wire(self, cuts),
            Profile(
                Password("123456"),
                timers=Timers(answer_seconds=0.01, dialogue_seconds=0.01),
                idle_apart_seconds=0.0,
                answers_apart_seconds=0.0,
            ),
        )

    def trouble(self, random: Random) -> None:
        """Let something go wrong at the terminal, or nothing."""
        fault = random.choice(
            [None, None, Fault.DECLINE, Fault.ANSWER_LOST, Fault.CANCEL]
        )
        if fault is not None:
            self.core.fail_next(Plan(fault))
        elif random.random() < 0.3:
            self.front.twist_next(
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


class Wire:
    """The driver's link, straight into the terminal's front."""

    def __init__(self, terminal: ZvtDesk, cuts: Cuts) -> None:
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


if __name__ == "__main__":
    play_many(ZvtDesk, __doc__)
