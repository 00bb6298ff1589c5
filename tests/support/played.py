"""A lane that is played: events in, one step a line, effects and facts out."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kiosk.domain import body as bodies
from kiosk.domain.basket import LineItem
from kiosk.domain.effects import FACTS, Effect, Fact, SaleMade
from kiosk.domain.events import (
    DeviceChanged,
    Event,
    ItemFound,
    PayPressed,
    PinChecked,
    PinTried,
    Restarted,
    RosterChanged,
    RosterEntry,
    RulesChanged,
    StaffPressed,
    TenderConfirmed,
    TenderResult,
    TenderStarted,
    TimeLimitReached,
)
from kiosk.domain.lane import advance
from kiosk.domain.policy import Limits, Rules
from kiosk.domain.pricing import PricingRules
from kiosk.domain.state import Lane, Paying, PinEntry
from kiosk.domain.tax import TaxRate, TaxRules
from kiosk.domain.tender import CardResult, Outcome

NOON = 1_795_000_000_000

BREAD = LineItem(
    "04012345000009", {"en": "Rye bread"}, unit_price_minor=249, extended_minor=249
)
WINE = LineItem(
    "04012345000016",
    {"en": "Red wine"},
    unit_price_minor=599,
    extended_minor=599,
    minimum_age=18,
)
APPLES = LineItem("plu:4011", {"en": "Apples"}, unit_price_minor=299, weighed=True)
WATER = LineItem(
    "04012345000023", {"en": "Water"}, unit_price_minor=89, extended_minor=89
)
DEPOSIT = LineItem(
    "deposit-25",
    {"en": "Deposit"},
    unit_price_minor=25,
    extended_minor=25,
    is_deposit=True,
)
RICE = LineItem(
    "04012345000030",
    {"en": "Rice"},
    unit_price_minor=199,
    extended_minor=199,
    maximum_quantity=2,
)

ANA = RosterEntry(
    "7", "Ana", ("approve", "void", "price", "settle", "close", "technician")
)
BEN = RosterEntry("8", "Ben", ("approve",))

RULES = Rules(
    version="r1",
    pricing=PricingRules("EUR", TaxRules(True, (TaxRate("standard", 190_000, "A"),))),
    limits=Limits(),
    languages=("en", "de"),
    receipt_url="https://shop.example/r",
    store=("Corner shop",),
)


class PlayedLane:
    """A lane that has started and is fed events; every entry survives its codec."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.state = Lane()
        self.effects: list[Effect] = []
        self.all_effects: list[Effect] = []
        self.events: list[Event] = []
        self.now = NOON
        self.after(
            RulesChanged(rules),
            RosterChanged(1, (ANA, BEN)),
            Restarted("test", "boot", 0),
            DeviceChanged("terminal", "ready"),
        )

    @property
    def mode(self) -> Any:
        """The lane's mode; untyped, since a test knows which it expects."""
        return self.state.mode

    @property
    def total(self) -> int:
        assert self.state.figures is not None
        return self.state.figures.total_minor

    def after(self, *events: Event) -> PlayedLane:
        """Feed events; `effects` are those of the last one."""
        for event in events:
            stamped: Any = event
            if getattr(event, "at_ms", None) == 0:
                stamped = replace(stamped, at_ms=self.now)
            if getattr(event, "basket_id", None) == "":
                stamped = replace(stamped, basket_id=f"b{self.state.seq}")
            if isinstance(stamped, PayPressed) and not stamped.attempt_id:
                stamped = replace(stamped, attempt_id=f"t{self.state.seq}")
            self.state, self.effects = advance(self.state, stamped)
            self.events.append(stamped)
            self.all_effects += self.effects
            facts = tuple(e for e in self.effects if isinstance(e, FACTS))
            again = bodies.decode(bodies.encode(stamped, facts))
            assert again is not None
            assert again.event == stamped
            assert again.facts == facts
        return self

    def scan(self, *lines: LineItem) -> PlayedLane:
        return self.after(*(ItemFound(line) for line in lines))

    def time_is_up(self, name: str) -> PlayedLane:
        """Let the running timer of that name run out."""
        generation = self.state.timers[name].generation
        return self.after(TimeLimitReached(name, generation))

    def sign_on(self, attendant: str = "7") -> PlayedLane:
        self.after(StaffPressed(), PinTried(attendant, f"n{self.state.seq}"))
        assert isinstance(self.mode, PinEntry)
        return self.after(PinChecked(attendant, self.mode.nonce, True))

    def start_payment(self) -> str:
        """Press pay and let the intent be written; return the attempt's id."""
        self.after(PayPressed())
        assert isinstance(self.mode, Paying), self.mode
        tender = self.mode.tender
        self.after(TenderStarted(tender, "T1", 0))
        return tender.attempt_id

    def approval(self, attempt_id: str) -> CardResult:
        attempt = self.state.ledger[attempt_id]
        return CardResult(Outcome.APPROVED, attempt.amount_minor, attempt.currency)

    def pay(self) -> str:
        """Pay by card, approved at once."""
        attempt_id = self.start_payment()
        self.after(
            TenderResult(attempt_id, self.approval(attempt_id)),
            TenderConfirmed(attempt_id),
        )
        return attempt_id

    def wants(self, kind: type[Any]) -> list[Any]:
        """Return the effects of that kind from the last event."""
        return [e for e in self.effects if isinstance(e, kind)]

    def facts(self, kind: type[Any]) -> list[Any]:
        """Return the facts of that kind from the whole play."""
        return [e for e in self.all_effects if isinstance(e, kind)]

    @property
    def sales(self) -> list[Fact]:
        return self.facts(SaleMade)
