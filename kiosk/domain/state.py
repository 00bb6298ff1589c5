"""Where a lane can be: the closed list of modes, and what it knows in all of them.

Values only; how one follows from another stands in `lane.py`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kiosk.domain.basket import LineItem, standing
from kiosk.domain.events import RosterEntry
from kiosk.domain.policy import Rules
from kiosk.domain.pricing import Figures, Priced
from kiosk.domain.tender import Attempt, OpenItem, Sale, Tender


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something an attendant must see before payment. `reason`: age, item, check."""

    reason: str
    line_no: int = 0
    age: int = 0


class Basket(msgspec.Struct, frozen=True, omit_defaults=True):
    """The open list of line items and what was approved about it.

    `started_ms` fixes which offers run. `waiting` are approvals still needed.
    `drawn_lines` is how many lines it had when a random check was last drawn for.
    """

    basket_id: str
    started_ms: int
    lines: tuple[LineItem, ...] = ()
    coupons: tuple[str, ...] = ()
    waiting: tuple[Approval, ...] = ()
    approved_age: int = 0
    removals: int = 0
    removed_minor: int = 0
    is_checked: bool = False
    drawn_lines: int = 0
    must_check: bool = False

    @property
    def standing(self) -> tuple[LineItem, ...]:
        return standing(self.lines)

    def line(self, line_no: int) -> LineItem | None:
        """Return the standing line of that number."""
        for line in self.standing:
            if line.line_no == line_no:
                return line
        return None


class Suspended(msgspec.Struct, frozen=True, omit_defaults=True):
    """A basket put aside. `why`: attendant, power, idle, restart."""

    suspended_seq: int
    basket: Basket
    figures: Figures
    why: str
    at_ms: int

    @property
    def code(self) -> str:
        """The short code on the slip and the screen."""
        return f"{self.suspended_seq % 10000:04d}"


class Expected(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step that the bagging scale should make: from `low` to `high` grams."""

    low: int
    high: int
    item_id: str = ""


class Bagging(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bagging scale shows, and what it should.

    `level` is the weight at which all was right; `pending` the steps still to come
    from there, for the first `lines_seen` lines of the basket. `bags` are own bags
    allowed for, `failures` how often the weight did not fit. `is_weighing`: the scale
    works; `was_blind`: not all the while that this basket was open.
    """

    grams: int = 0
    level: int = 0
    basket_id: str = ""
    lines_seen: int = 0
    pending: tuple[Expected, ...] = ()
    bags: int = 0
    failures: int = 0
    is_weighing: bool = False
    was_blind: bool = False


# -- modes -------------------------------------------------------------------


class Closed(msgspec.Struct, frozen=True, tag=True):
    """Nothing is sold. `cause`: starting, attendant, office, trouble, battery, day,
    update (`detail` is the release); enrol on a kiosk that is no lane yet (`detail`
    is its claim code)."""

    cause: str
    detail: str = ""


class Idle(msgspec.Struct, frozen=True, tag=True):
    """Waiting for the next shopper. `notice` as in Scanning."""

    notice: str = ""


class Scanning(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A basket is open. `notice` is what the shopper must be told now, or empty:
    not_for_sale, expired, recalled, no_price, unreadable, coupon_unknown,
    coupon_taken, coupon_later, too_many, basket_full, battery, no_card (terminal out of reach),
    not_charged, dropped_lines (taken out on resume).
    `is_warned`: "Do you need more time?" is on the screen.
    """

    basket: Basket
    notice: str = ""
    notice_item: str = ""
    is_warned: bool = False


class Weighing(msgspec.Struct, frozen=True, tag=True):
    """The item must be put on the scale."""

    basket: Basket
    line: LineItem


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """A random check: so many `items` from the bags are scanned by staff.

    `found` are those on the list, `unpaid` those that are not.
    """

    items: int
    chance_per_10000: int
    found: tuple[str, ...] = ()
    unpaid: tuple[str, ...] = ()


class Intervention(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The lane waits for an attendant.

    `asked` is the entry that called: approvals must name it. `reason`: age, item,
    approvals, unknown_item, maximum_quantity, void, void_sale, random_check, help,
    scale_mismatch, idle (basket left alone). `subject` is the label, topic or line
    it is about. `is_quiet`: the shopper can mend it alone, nobody was called yet.
    """

    asked: int
    reason: str
    resume: Mode
    subject: str = ""
    line_no: int = 0
    line: LineItem | None = None
    quantity: int = 0
    deposit: LineItem | None = None
    is_quiet: bool = False
    check: Check | None = None


class Paying(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The terminal has the word. `phase`: preparing, asked, approved.

    `moment` is where the shopper is at the terminal (`TerminalMoment`)."""

    basket: Basket
    tender: Tender
    phase: str = "preparing"
    moment: str = ""
    is_cancelling: bool = False


class OutcomeUnknown(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The card may have been charged; the terminal is asked until it answers.

    `is_stale`: so long ago that the shopper may be gone; then a found payment is
    put before staff instead of being completed.
    """

    basket: Basket
    tender: Tender
    called_staff: bool = False
    is_stale: bool = False


class Declined(msgspec.Struct, frozen=True, tag=True):
    """No money was taken, and the shopper is told so. `why`: declined, cancelled,
    partial, not_sent, not_charged."""

    basket: Basket
    why: str


class Complete(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Paid. `stage`: ask, printing, qr, done, failed."""

    sale: Sale
    stage: str = "ask"


class PinEntry(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """The PIN pad is open. `trouble`: "", wrong, locked, checking."""

    resume: Mode
    trouble: str = ""
    nonce: str = ""


class Attending(msgspec.Struct, frozen=True, tag=True):
    """An attendant is signed on at this lane."""

    attendant: str
    roles: tuple[str, ...]
    resume: Mode


class Servicing(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A technician is at the service screen, over `resume`.

    `doing` is the deed that has no answer yet, `asked` the entry that began it;
    `done` the last one that has, with its `outcome` in one word and its `detail`.
    """

    attendant: str
    resume: Mode
    doing: str = ""
    asked: int = 0
    done: str = ""
    outcome: str = ""
    detail: str = ""


class Training(msgspec.Struct, frozen=True, tag=True):
    """A whole lane that sells nothing: its money never leaves it."""

    attendant: str
    lane: Lane


Mode: TypeAlias = (
    Closed
    | Idle
    | Scanning
    | Weighing
    | Intervention
    | Paying
    | OutcomeUnknown
    | Declined
    | Complete
    | PinEntry
    | Attending
    | Servicing
    | Training
)


# -- what is known in every mode ---------------------------------------------


class Timer(msgspec.Struct, frozen=True):
    """A running time limit. Its generation is the entry that set it."""

    generation: int
    seconds: float


class PinCounter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Wrong tries since the last right one, and until when nothing is checked."""

    wrong: int = 0
    locked_until_ms: int = 0


class Exposure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Card payments the terminal approved offline, not yet known to its host.

    `since_ms` is when the oldest of them was approved.
    """

    count: int = 0
    sum_minor: int = 0
    since_ms: int = 0


class Owed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A receipt that was asked for and is not known to be on paper."""

    sale: Sale
    is_copy: bool = False
    is_failed: bool = False


class Lane(msgspec.Struct, frozen=True, omit_defaults=True):
    """The lane's whole state. `seq` is the number of the last entry it has seen.

    `power_stage`: 0 mains; 1 banner; 2 no new basket; 3 no new card; 4 suspend;
    5 low, shutting down. `is_host_away`: the terminal's latest word was that it
    cannot reach its host. `card_sum_minor` is what the terminal took since its last
    end of day, by this journal. `settlement`: empty, running, waiting. `lease` is the
    release for which the lane closed, until the machine restarts into it.
    """

    seq: int = 0
    mode: Mode = Closed("starting")
    rules: Rules | None = None
    next_rules: Rules | None = None
    language: str = "en"
    timers: dict[str, Timer] = {}
    ledger: dict[str, Attempt] = {}
    open_items: tuple[OpenItem, ...] = ()
    receipts_owed: tuple[Owed, ...] = ()
    suspended: tuple[Suspended, ...] = ()
    recent_sales: tuple[Sale, ...] = ()
    roster_version: int = 0
    roster: tuple[RosterEntry, ...] = ()
    pins: dict[str, PinCounter] = {}
    lane_pin_wrong: int = 0
    lane_locked_until_ms: int = 0
    devices: dict[str, str] = {}
    power: str = "mains"
    power_stage: int = 0
    is_online: bool = True
    is_clock_trusted: bool = True
    last_ms: int = 0
    weight_grams: int = 0
    # That weight was sold already: the next weighed item needs another.
    is_weight_sold: bool = False
    bagging: Bagging = Bagging()
    exposure: Exposure = Exposure()
    is_host_away: bool = False
    card_sum_minor: int = 0
    settlement: str = ""
    settle_failures: int = 0
    called: str = ""
    pause: str = ""
    lease: str = ""
    is_training: bool = False
    # The open basket's prices, computed from its lines: never written anywhere.
    priced: Priced | None = None

    def attendant(self, number: str) -> RosterEntry | None:
        """Return the attendant of that number, if the roster has one."""
        for entry in self.roster:
            if entry.attendant == number:
                return entry
        return None

    @property
    def figures(self) -> Figures | None:
        """The open basket's figures, as the shopper sees them."""
        return self.priced.figures if self.priced else None
