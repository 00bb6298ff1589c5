"""What can happen to a lane: the closed list of events.

Each becomes one journal entry. Times are epoch milliseconds of the wall clock and
are stamped by the runner when it takes the event from its queue, ids likewise:
whoever posts an event leaves them empty. Never a PIN, never a card number.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kiosk.domain.basket import LineItem
from kiosk.domain.network import NetworkSetting
from kiosk.domain.policy import Rules
from kiosk.domain.tender import Answer, CardResult, Outcome, Tender


class _Shape(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """How every event is written. (msgspec's options travel by inheritance.)"""


# -- the shopper -------------------------------------------------------------


class LanguageChosen(_Shape, frozen=True):
    language: str


class StartPressed(_Shape, frozen=True):
    """The shopper touched Start without scanning."""

    at_ms: int = 0
    basket_id: str = ""


class ItemFound(_Shape, frozen=True):
    """A scan or a pick named an item of the catalogue.

    `today` is the shop's date (ISO), for expiry; `recalled` whether its batch is.
    `deposit` is the line that must be sold with it.
    """

    line: LineItem
    deposit: LineItem | None = None
    recalled: bool = False
    today: str = ""
    at_ms: int = 0
    basket_id: str = ""


class ItemUnknown(_Shape, frozen=True):
    """A readable label that the catalogue does not know, or a weighed item without
    a price. `label` is the number only, never free text."""

    label: str
    at_ms: int = 0
    basket_id: str = ""


class LabelUnreadable(_Shape, frozen=True):
    """A scan that names nothing. `reason` is for the technician."""

    reason: str


class CouponScanned(_Shape, frozen=True):
    code: str


class WeightSettled(_Shape, frozen=True):
    grams: int


class WeighingCancelled(_Shape, frozen=True):
    """The shopper went back from the scale."""


class BaggingWeight(_Shape, frozen=True):
    """The bagging area settled on a weight, all that lies there together."""

    grams: int


class OwnBagUsed(_Shape, frozen=True):
    """The shopper puts a bag of their own into the bagging area."""


class LineVoided(_Shape, frozen=True):
    """A line is to be struck out: by the shopper, or by an attendant, with why."""

    line_no: int
    attendant: str = ""
    reason: str = ""


class QuantityChanged(_Shape, frozen=True):
    line_no: int
    quantity: int
    attendant: str = ""


class NoticeRead(_Shape, frozen=True):
    """The shopper tapped a notice away."""


class MoreTimePressed(_Shape, frozen=True):
    """Somebody is there: touch, key or the answer to "more time?"."""


class HelpPressed(_Shape, frozen=True):
    """`topic`: barcode, price, payment, other."""

    topic: str = "other"


class HelpCancelled(_Shape, frozen=True):
    """The shopper needs no help any more."""


class CancelPressed(_Shape, frozen=True):
    """The shopper wants to leave without buying."""


class PayPressed(_Shape, frozen=True):
    """`draw` (0 to 9999) decides about a random check; the runner draws it, so that a
    replay finds it here."""

    at_ms: int = 0
    attempt_id: str = ""
    draw: int = 9999


class BackPressed(_Shape, frozen=True):
    """Back from paying, as long as the terminal has not seen a card."""


class ReceiptChosen(_Shape, frozen=True):
    """`choice`: paper, qr, none."""

    choice: str


# -- money -------------------------------------------------------------------


class TenderStarted(_Shape, frozen=True):
    """The intent, on disk before the terminal is asked."""

    tender: Tender
    terminal_id: str
    last_receipt: int
    at_ms: int = 0
    # The driver's own word for the terminal's newest transaction.
    mark: str = ""
    require_online: bool = False


class TenderNotStarted(_Shape, frozen=True):
    """The terminal could not be reached for its mark, or may not be used; nothing was
    asked."""

    attempt_id: str
    reason: str = ""


class TenderMoment(_Shape, frozen=True):
    """Where the shopper is at the terminal; words of `TerminalMoment`."""

    attempt_id: str
    moment: str


class TenderResult(_Shape, frozen=True):
    attempt_id: str
    result: CardResult
    at_ms: int = 0


class TenderConfirmed(_Shape, frozen=True):
    """The terminal closed the dialogue after our acknowledgement.

    Some send their receipts only after the result: these are their lines.
    """

    attempt_id: str
    at_ms: int = 0
    receipt_lines: tuple[str, ...] = ()
    merchant_lines: tuple[str, ...] = ()


class TenderQueried(_Shape, frozen=True):
    attempt_id: str
    answer: Answer
    result: CardResult | None = None
    at_ms: int = 0


class TenderSettled(_Shape, frozen=True):
    """A person decided. `decision`: paid, not_paid, taken_at_till, reverse."""

    attempt_id: str
    decision: str
    attendant: str
    reason: str
    reference: str = ""
    reversal_id: str = ""
    at_ms: int = 0


class SaleReturned(_Shape, frozen=True):
    """A paid sale is to be given back whole. `kind`: void (same day) or refund."""

    sale_seq: int
    kind: str
    attendant: str
    reason: str
    reversal_id: str = ""
    at_ms: int = 0


class ReversalResult(_Shape, frozen=True):
    """What came of a reversal or a refund."""

    attempt_id: str
    reversal_id: str
    result: CardResult
    at_ms: int = 0


class TerminalSettled(_Shape, frozen=True):
    """What came of the terminal's end of day.

    `is_needed` is False where the terminal has none. `count` and `sum_minor` are its
    own totals, None where it gave none.
    """

    outcome: Outcome
    is_needed: bool = True
    count: int | None = None
    sum_minor: int | None = None
    detail: str = ""
    at_ms: int = 0


# -- receipts ----------------------------------------------------------------


class ReceiptPrinted(_Shape, frozen=True):
    sale_seq: int


class ReceiptFailed(_Shape, frozen=True):
    sale_seq: int
    reason: str


class ReprintAsked(_Shape, frozen=True):
    sale_seq: int
    attendant: str


# -- attendants --------------------------------------------------------------


class StaffPressed(_Shape, frozen=True):
    """Somebody opened the PIN pad."""


class PinTried(_Shape, frozen=True):
    """Journaled before the PIN is checked, so that no plug resets the count.

    `nonce` names the check; the PIN itself waits in memory and nowhere else.
    """

    attendant: str
    nonce: str = ""
    at_ms: int = 0


class PinChecked(_Shape, frozen=True):
    attendant: str
    nonce: str
    is_right: bool
    at_ms: int = 0


class AttendantLeft(_Shape, frozen=True):
    """The attendant went back to the shopper's screen."""


class InterventionApproved(_Shape, frozen=True):
    """`asked` is the entry that called for the intervention: one for anything else
    is ignored. `age` is what the attendant saw, where that was asked."""

    asked: int
    attendant: str
    reason: str = ""


class InterventionRefused(_Shape, frozen=True):
    asked: int
    attendant: str
    reason: str = ""


class SaleVoided(_Shape, frozen=True):
    attendant: str
    reason: str


class PriceOverridden(_Shape, frozen=True):
    line_no: int
    unit_price_minor: int
    attendant: str
    reason: str


class BasketSuspended(_Shape, frozen=True):
    attendant: str
    reason: str
    at_ms: int = 0


class BasketResumed(_Shape, frozen=True):
    """`recalled` are the lines whose batch was recalled meanwhile; `attendant` is
    empty where a short power cut lets the shopper go on alone."""

    suspended_seq: int
    attendant: str = ""
    today: str = ""
    recalled: tuple[int, ...] = ()
    at_ms: int = 0


class TrainingStarted(_Shape, frozen=True):
    attendant: str


class TrainingEnded(_Shape, frozen=True):
    attendant: str


class LaneClosed(_Shape, frozen=True):
    attendant: str
    reason: str


class LaneOpened(_Shape, frozen=True):
    attendant: str


class DateConfirmed(_Shape, frozen=True):
    """An attendant says that the clock is right after all."""

    attendant: str
    at_ms: int = 0


class DayEnded(_Shape, frozen=True):
    """The trading day is over: a Z report was drawn, the file will be closed."""

    trading_day: str
    attendant: str = ""
    at_ms: int = 0


class ServiceOpened(_Shape, frozen=True):
    """A technician wants the service screen."""

    attendant: str
    at_ms: int = 0


class ServiceAsked(_Shape, frozen=True):
    """A technician asks for a deed: attest, network, logs, update, reset, restart,
    try_terminal, stop_trial, forget_trial.

    `unsent_sales` is how many the back office is not known to hold, -1 where they
    could not be counted. `network` is what is to be set.
    """

    deed: str
    attendant: str
    network: NetworkSetting = NetworkSetting()
    unsent_sales: int = 0
    at_ms: int = 0


class ServiceEnded(_Shape, frozen=True):
    """What came of the deed that entry `asked` began, in one word, with what the
    technician may want to know of it."""

    deed: str
    asked: int
    outcome: str
    detail: str = ""
    at_ms: int = 0


# -- the lane itself ---------------------------------------------------------


class RosterEntry(msgspec.Struct, frozen=True):
    """An attendant as the lane's rules know one. No PIN, no hash."""

    attendant: str
    name: str
    roles: tuple[str, ...]


class TimeLimitReached(_Shape, frozen=True):
    """A timer ran out; one that was set anew since has another generation."""

    name: str
    generation: int


class DeviceChanged(_Shape, frozen=True):
    """`device`: scanner, printer, terminal, scale, bagging, ups,
    light, disk.
    `health`: ready, degraded, absent."""

    device: str
    health: str
    detail: str = ""
    # What the lane can do something about: settlement_required, tampering.
    cause: str = ""


class PowerChanged(_Shape, frozen=True):
    """`source`: mains, battery, low, shutdown, unknown."""

    source: str
    at_ms: int = 0


class NetworkChanged(_Shape, frozen=True):
    """Whether the back office answers."""

    is_online: bool


class ClockDistrusted(_Shape, frozen=True):
    """The wall clock stands before the last entry."""

    at_ms: int = 0


class RulesChanged(_Shape, frozen=True):
    rules: Rules


class RosterChanged(_Shape, frozen=True):
    version: int
    attendants: tuple[RosterEntry, ...]


class Restarted(_Shape, frozen=True):
    """The program began; `down_ms` is how long the journal had been silent."""

    release: str
    boot_id: str
    down_ms: int
    at_ms: int = 0


class DirectiveReceived(_Shape, frozen=True):
    """The back office told the lane something, and it was genuine and in time.

    `order`: pause, resume, approve, refuse. `asked` names an intervention.
    """

    directive_id: str
    order: str
    attendant: str = ""
    asked: int = 0


class UpdateAsked(_Shape, frozen=True):
    """The updater wants to restart the machine into another release: may the lane
    close for it? `asked` names the question, so that its answer finds back."""

    release: str
    asked: str = ""


class StateCarried(_Shape, frozen=True):
    """The lane's whole state at a quiet moment, so that recovery and the next file
    begin here. `state` is the JSON of a `Lane`."""

    state: msgspec.Raw


Event: TypeAlias = (
    LanguageChosen
    | StartPressed
    | ItemFound
    | ItemUnknown
    | LabelUnreadable
    | CouponScanned
    | WeightSettled
    | WeighingCancelled
    | BaggingWeight
    | OwnBagUsed
    | LineVoided
    | QuantityChanged
    | NoticeRead
    | MoreTimePressed
    | HelpPressed
    | HelpCancelled
    | CancelPressed
    | PayPressed
    | BackPressed
    | ReceiptChosen
    | TenderStarted
    | TenderNotStarted
    | TenderMoment
    | TenderResult
    | TenderConfirmed
    | TenderQueried
    | TenderSettled
    | SaleReturned
    | ReversalResult
    | TerminalSettled
    | ReceiptPrinted
    | ReceiptFailed
    | ReprintAsked
    | StaffPressed
    | PinTried
    | PinChecked
    | AttendantLeft
    | InterventionApproved
    | InterventionRefused
    | SaleVoided
    | PriceOverridden
    | BasketSuspended
    | BasketResumed
    | TrainingStarted
    | TrainingEnded
    | LaneClosed
    | LaneOpened
    | DateConfirmed
    | DayEnded
    | ServiceOpened
    | ServiceAsked
    | ServiceEnded
    | TimeLimitReached
    | DeviceChanged
    | PowerChanged
    | NetworkChanged
    | ClockDistrusted
    | RulesChanged
    | RosterChanged
    | Restarted
    | DirectiveReceived
    | UpdateAsked
    | StateCarried
)
