"""Payments over nexo that are cut short anywhere (`terminal_cuts`).

`PYTHONPATH=. python tests/support/nexo_cuts.py --runs N --seed S` plays as many as one
likes; the test suite plays some. Only TLS and HTTP are left out: every message is sealed
and opened.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from terminal_cuts import Cuts, LaneDied, play_many

from hardware.simulated.nexo_front import Gone, MemoryBook, NexoFront, Reply, Twist
from hardware.simulated.terminal_core import TerminalCore
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import MemoryStore
from hardware.terminal.nexo import NexoTerminal, Profile
from hardware.terminal.nexo_crypto import Key
from hardware.terminal.nexo_link import NothingSent, Refused

POI_ID = "V400m-347374578"
KEY = Key("Simulated+Lane1", "lane", 1)


class NexoDesk:
    """The terminal and its power; store and book outlive both."""

    def __init__(self, random: Random) -> None:
        self.settings = TerminalSettings(terminal_id=POI_ID, present_after_seconds=1.0)
        self.store = MemoryStore()
        self.book = MemoryBook()
        self.now = 0.0
        self.lives = 0
        self.links = 0
        self.boot()

    def boot(self) -> None:
        """Power came: what was running is forgotten, what was stored is not."""
        self.lives += 1
        self.core = TerminalCore(self.store, self.settings)
        self.front = NexoFront(self.core, KEY, self.book)

    def driver(self, cuts: Cuts) -> NexoTerminal:
        """Make a driver, as a lane that has just started does."""
        profile = Profile(KEY, POI_ID, "lane-1", answers_apart_seconds=0.0)
        return NexoTerminal(Link(self, cuts), profile, lambda: self.now)

    def trouble(self, random: Random) -> None:
        """Let something go wrong at the terminal, or nothing."""
        fault = random.choice(
            [None, None, Fault.DECLINE, Fault.ANSWER_LOST, Fault.CANCEL, Fault.SILENT]
        )
        if fault is not None:
            self.core.fail_next(Plan(fault))
        if random.random() < 0.3:
            self.core.fail_next_undo(
                Plan(random.choice([Fault.ANSWER_LOST, Fault.SILENT]))
            )
        if random.random() < 0.3:
            twists = [one for one in Twist if one is not Twist.SIGNATURE]
            self.front.twist_next(random.choice(twists))


class Link:
    """The driver's link, straight into the terminal's front."""

    def __init__(self, desk: NexoDesk, cuts: Cuts) -> None:
        self._desk = desk
        self._cuts = cuts

    def ask(
        self, request: bytes, seconds: float, on_sent: Callable[[], None] | None = None
    ) -> bytes:
        desk = self._desk
        desk.links += 1
        number, life = desk.links, desk.lives
        try:
            self._pass(is_sent=False)
            replies = desk.front.hear(desk.now, number, request)
            self._pass(is_sent=True)
            if on_sent is not None:
                on_sent()
            while True:
                for reply in replies:
                    if reply.to == number:
                        self._pass(is_sent=True)
                        return _body(reply)
                due = desk.core.next_due
                if due is None or desk.lives != life:
                    raise TimeoutError("no answer")
                desk.now = max(desk.now, due)
                replies = [
                    reply
                    for said in desk.core.advance(desk.now)
                    for reply in desk.front.say(said)
                ]
                self._pass(is_sent=True)
        finally:
            desk.front.hung_up(number)

    def _pass(self, *, is_sent: bool) -> None:
        what = self._cuts.here()
        if what in ("terminal", "both"):
            self._desk.boot()
        if what in ("lane", "both"):
            raise LaneDied
        if what:
            raise ConnectionError("cut") if is_sent else NothingSent("cut")


def _body(reply: Reply | Gone) -> bytes:
    if isinstance(reply, Gone):
        raise ConnectionResetError("the terminal broke the link")
    if reply.status == 400:
        raise Refused("HTTP status 400")
    if reply.status != 200:
        raise ConnectionError(f"HTTP status {reply.status}")
    return reply.body


if __name__ == "__main__":
    play_many(NexoDesk, __doc__)
