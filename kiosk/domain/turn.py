"""One event's turn: the state as it becomes, and what is wanted on the way.

A scratch pad that lives for one call of `advance` and is thrown away. It knows how
modes are entered (their timers, their light), never why.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kiosk.domain.effects import (
    Beep,
    CallAttendant,
    CancelTimer,
    Effect,
    InterventionMade,
    SetTimer,
    ShowLight,
)
from kiosk.domain.policy import BaggingPolicy, Limits, Rules
from kiosk.domain.pricing import Priced, price
from kiosk.domain.state import (
    Attending,
    Basket,
    Closed,
    Complete,
    Declined,
    Idle,
    Intervention,
    Lane,
    Mode,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Servicing,
    Timer,
    Training,
    Weighing,
)
from kiosk.domain.tender import Stage

# These run on whatever the screen shows: power, what the terminal is asked, a lease.
_LASTING = ("power_", "query:", "undo:", "checking", "settle", "bagging_", "lease")

# The two waits of the bagging area: for what does not fit, and for what is missing.
BAGGING_LOOK, BAGGING_WAIT = "bagging_look", "bagging_wait"

# How long the lane stays closed for an update that does not come.
LEASE = "lease"

# So many ended attempts are remembered, to know a late answer when it comes.
_ENDED_ATTEMPTS = 50


class Turn:
    """The lane during one event."""

    def __init__(self, lane: Lane) -> None:
        self.lane = replace(lane, seq=lane.seq + 1)
        self.effects: list[Effect] = []

    @property
    def rules(self) -> Rules:
        """The rules in force. A lane without rules never leaves Closed."""
        if self.lane.rules is None:
            raise ValueError("a lane without rules cannot sell")
        return self.lane.rules

    @property
    def limits(self) -> Limits:
        return self.lane.rules.limits if self.lane.rules else Limits()

    def do(self, *effects: Effect) -> None:
        """Want these effects, in this order."""
        self.effects.extend(effects)

    def set(self, **fields: Any) -> None:
        """Change what is known in all modes."""
        self.lane = replace(self.lane, **fields)

    # -- timers ------------------------------------------------------------

    def start_timer(self, name: str, seconds: float) -> None:
        """Start a time limit, or start it again from the beginning."""
        timer = Timer(self.lane.seq, seconds)
        self.set(timers={**self.lane.timers, name: timer})
        self.do(SetTimer(name, timer.generation, seconds))

    def stop_timer(self, name: str) -> None:
        """Stop a time limit, if it runs."""
        if name in self.lane.timers:
            rest = {n: t for n, t in self.lane.timers.items() if n != name}
            self.set(timers=rest)
            self.do(CancelTimer(name))

    # -- modes -------------------------------------------------------------

    def enter(self, mode: Mode) -> None:
        """Show another mode, with its timers and its light."""
        before = light_of(self.lane.mode)
        wanted = _timers(mode, self.limits)
        if isinstance(mode, Intervention) and mode.is_quiet:
            policy = self.lane.rules.bagging if self.lane.rules else BaggingPolicy()
            wanted = {"alone": policy.call_seconds}
        for name in list(self.lane.timers):
            if not name.startswith(_LASTING) and name not in wanted:
                self.stop_timer(name)
        self.set(mode=mode)
        for name, seconds in wanted.items():
            self.start_timer(name, seconds)
        if (light := light_of(mode)) != before:
            self.do(ShowLight(light))

    def call(self, reason: str, resume: Mode, **about: Any) -> None:
        """Wait for an attendant, because of `reason`, then go on with `resume`."""
        self.enter(Intervention(self.lane.seq, reason, resume, **about))
        self.do(Beep("attention"), CallAttendant(reason), InterventionMade(reason))

    def rest(self) -> None:
        """Wait for the next shopper, or be closed where the lane must not sell."""
        lane = self.lane
        ended = [a.attempt_id for a in lane.ledger.values() if _has_ended(a.stage)]
        forgotten = set(ended[:-_ENDED_ATTEMPTS])
        rules = lane.next_rules or lane.rules
        self.set(
            rules=rules,
            next_rules=None,
            language=rules.languages[0] if rules else "en",
            called="",
            priced=None,
            is_weight_sold=lane.weight_grams > 0,
            ledger={k: a for k, a in lane.ledger.items() if k not in forgotten},
        )
        self.enter(resting_mode(self.lane))

    def look_again(self) -> None:
        """Let a lane at rest open or close, as its devices, rules and lease have it."""
        match self.lane.mode:
            case Idle():
                self.rest()
            case Closed(cause=cause) if cause not in ("attendant", "starting", "day"):
                self.rest()
            case _:
                pass

    # -- the basket --------------------------------------------------------

    def price(self, basket: Basket) -> Priced:
        """Price a basket and remember it as the one that is open."""
        priced = price(
            basket.lines,
            self.rules.pricing,
            basket.started_ms,
            basket.coupons,
            self.lane.priced,
        )
        self.set(priced=priced)
        return priced


def _has_ended(stage: Stage) -> bool:
    return not stage.is_open and stage is not Stage.TO_CHECK


def resting_mode(lane: Lane) -> Closed | Idle:
    """Return whether this lane may serve the next shopper, and if not, why."""
    if lane.rules is None:
        return Closed("starting")
    if lane.power_stage >= 2:
        return Closed("battery")
    if lane.lease:
        return Closed("update", lane.lease)
    if lane.pause:
        return Closed("office", lane.pause)
    if device := trouble(lane):
        return Closed("trouble", device)
    return Idle()


def trouble(lane: Lane) -> str:
    """Return the device without which nothing can be sold here, or nothing."""
    needed = ["disk", "scanner", "terminal"]
    if lane.rules and lane.rules.receipt_required:
        needed.append("printer")
    for device in needed:
        if lane.devices.get(device) == "absent":
            return device
    return ""


def light_of(mode: Mode) -> str:
    """Return what the light above the lane shows for a mode."""
    match mode:
        case Closed():
            return "red"
        case Intervention() | OutcomeUnknown():
            return "amber"
        case PinEntry(resume=inner) | Attending(resume=inner) | Servicing(resume=inner):
            return light_of(inner)
        case Training(lane=inner_lane):
            return light_of(inner_lane.mode)
        case Idle() | Scanning() | Weighing() | Paying() | Declined() | Complete():
            return "green"


def _timers(mode: Mode, limits: Limits) -> dict[str, float]:
    """Return the time limits that run in a mode."""
    match mode:
        case Scanning(basket=basket, is_warned=is_warned, notice=notice):
            if is_warned:
                timers = {"extend": limits.extend_seconds}
            elif basket.standing:
                timers = {"idle": limits.idle_seconds}
            else:
                timers = {"idle": limits.empty_basket_seconds}
            if notice:
                timers["notice"] = limits.notice_seconds
            return timers
        case Idle(notice=notice):
            return {"notice": limits.notice_seconds} if notice else {}
        case Weighing():
            return {"weighing": limits.weighing_seconds}
        case Intervention(reason="idle"):
            return {"parked": limits.parked_seconds}
        case Intervention():
            return {"help": limits.help_repeat_seconds}
        case Paying(phase="preparing"):
            return {"preparing": limits.preparing_seconds}
        case Paying(phase="asked"):
            return {"asked": limits.asked_seconds}
        case Paying(phase="approved"):
            return {"confirm": limits.confirm_seconds}
        case Declined():
            return {"declined": limits.declined_seconds}
        case Complete(stage="ask"):
            return {"receipt": limits.receipt_seconds}
        case Complete(stage="printing"):
            return {"printing": limits.printing_seconds}
        case Complete(stage="qr"):
            return {"thanks": limits.qr_seconds}
        case Complete():
            return {"thanks": limits.thanks_seconds}
        case PinEntry():
            return {"pin": limits.pin_seconds}
        case Attending():
            return {"attendant": limits.attendant_seconds}
        case Servicing(doing=""):
            return {"service": limits.attendant_seconds}
        case Servicing():
            return {"serving": limits.serving_seconds}
        case Closed() | Paying() | OutcomeUnknown() | Training():
            return {}
