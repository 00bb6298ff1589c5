"""Virtual time: everything that will happen, in order, on one thread.

A worker that blocks (a payment that waits for a card) lets the rest of the world go
on from within its wait; nothing here ever sleeps or reads this machine's clock.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from random import Random

from kiosk.bench.simulation.story import Violation
from kiosk.domain.events import TimeLimitReached

# 2026-05-04, 08:00 UTC: the shop opens. Late enough that no clock jump is before 1970.
OPENING_MS = 1_777_881_600_000

# A long day takes some twenty thousand.
_MOST_STEPS = 1_000_000


class Schedule:
    """What will be done, and when. Times are milliseconds since the shop opened.

    What belongs to the lane's program (`of_lane`) ends with it.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self._order = 0
        self._life = 0
        self._steps = 0
        self._due: list[tuple[int, int, int, Callable[[], None]]] = []

    def after(
        self, delay_ms: float, do: Callable[[], None], *, of_lane: bool = False
    ) -> None:
        """Do something later."""
        self._order += 1
        at_ms = self.now_ms + int(delay_ms)
        life = self._life if of_lane else -1
        heapq.heappush(self._due, (at_ms, self._order, life, do))

    def end_life(self) -> None:
        """Forget what the lane's program was going to do."""
        self._life += 1

    def go_on(self, seconds: float, is_done: Callable[[], bool]) -> bool:
        """Let the world go on until `is_done`, or for so long. Return whether it is."""
        deadline_ms = self.now_ms + int(seconds * 1000)
        while not is_done():
            if not self._due or self._due[0][0] > deadline_ms:
                self.now_ms = max(self.now_ms, deadline_ms)
                return is_done()
            at_ms, _, life, do = heapq.heappop(self._due)
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise Violation("the day goes round in circles")
            # A wait within a wait may have gone further already.
            self.now_ms = max(self.now_ms, at_ms)
            if life in (-1, self._life):
                do()
        return True


class Clock:
    """The lane's clocks: the wall clock may jump, the other counts from the boot."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._boot_ms = 0
        self.jumped_ms = 0
        self.boot_id = ""

    def boot(self, boot_id: str) -> None:
        """Begin to count anew."""
        self._boot_ms = self._schedule.now_ms
        self.boot_id = boot_id

    def now_ms(self) -> int:
        """Return what the wall clock shows."""
        return OPENING_MS + self._schedule.now_ms + self.jumped_ms

    def mono_ms(self) -> int:
        """Return how long the machine has been running."""
        return self._schedule.now_ms - self._boot_ms


class Ids:
    """Ids and draws from the seed."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self._random = random

    def new(self) -> str:
        """Return an id that nobody had before."""
        return f"{self._random.getrandbits(64):016x}"

    def draw(self) -> int:
        """Return a number from 0 to 9999."""
        return self._random.randrange(10_000)


class VirtualTimers:
    """The lane's time limits (`kiosk.timers`), in virtual time."""

    def __init__(
        self, schedule: Schedule, post: Callable[[TimeLimitReached], None]
    ) -> None:
        self._schedule = schedule
        self._post = post
        self._set: dict[str, int] = {}
        self._count = 0

    def set(self, name: str, generation: int, seconds: float) -> None:
        """Start a timer, in place of one of the same name."""
        self._count += 1
        token = self._set[name] = self._count

        def up() -> None:
            if self._set.get(name) == token:
                del self._set[name]
                self._post(TimeLimitReached(name, generation))

        self._schedule.after(seconds * 1000, up, of_lane=True)

    def cancel(self, name: str) -> None:
        """Stop a timer, if it runs."""
        self._set.pop(name, None)


class VirtualWorker:
    """A worker (`kiosk.worker`) in virtual time: one job after the other.

    `takes_ms` says how long the next job waits for its device.
    """

    def __init__(self, schedule: Schedule, takes_ms: Callable[[], float]) -> None:
        self._schedule = schedule
        self._takes_ms = takes_ms
        self._jobs: deque[Callable[[], None]] = deque()
        self._is_busy = False

    def give(self, job: Callable[[], None]) -> None:
        """Queue a job. Returns at once."""
        self._jobs.append(job)
        self._next()

    def _next(self) -> None:
        if self._jobs and not self._is_busy:
            self._is_busy = True
            self._schedule.after(self._takes_ms(), self._do, of_lane=True)

    def _do(self) -> None:
        self._jobs.popleft()()
        self._is_busy = False
        self._next()


class VirtualTicket:
    """What a terminal's worker waits on until the lane has a result on disk."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._is_set = False

    def set(self) -> None:
        """Let the waiting worker go on."""
        self._is_set = True

    def wait(self, timeout: float) -> bool:
        """Let the world go on until the ticket is set; False when it was not."""
        return self._schedule.go_on(timeout, lambda: self._is_set)
