"""What the lane wants done, and what it states: the closed list of effects.

Commands are carried out by `kiosk.effects`; what comes of them returns as events.
Facts are carried out by nobody: the runner writes them into the entry of the event
they follow from, and reports and the back office fold them without any pricing.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kiosk.domain.network import NetworkSetting
from kiosk.domain.pricing import Figures
from kiosk.domain.tender import Attempt, OpenItem, Sale, Tender


class _Shape(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """How every effect is written. (msgspec's options travel by inheritance.)"""


# -- commands ----------------------------------------------------------------


class PrepareTender(_Shape, frozen=True):
    """Read the terminal's watermark, then post `TenderStarted` or `TenderNotStarted`.

    `require_online`: an offline approval would be more than the shop risks; a terminal
    that cannot be told so is not asked while `is_host_away`.
    """

    tender: Tender
    require_online: bool = False
    is_host_away: bool = False


class Authorize(_Shape, frozen=True):
    attempt: Attempt


class PretendTender(_Shape, frozen=True):
    """Training: answer as a terminal would, and touch none."""

    tender: Tender


class CancelAuthorization(_Shape, frozen=True):
    attempt_id: str


class Query(_Shape, frozen=True):
    attempt: Attempt


class Reverse(_Shape, frozen=True):
    attempt: Attempt
    reversal_id: str


class Refund(_Shape, frozen=True):
    attempt: Attempt
    refund_id: str


class SettleTerminal(_Shape, frozen=True):
    """Run the terminal's end of day, where it has one."""


class PrintReceipt(_Shape, frozen=True):
    sale: Sale
    is_copy: bool = False


class PrintSlip(_Shape, frozen=True):
    """A slip for a suspended basket."""

    code: str
    figures: Figures


class CheckPin(_Shape, frozen=True):
    attendant: str
    nonce: str


class SetTimer(_Shape, frozen=True):
    name: str
    generation: int
    seconds: float


class CancelTimer(_Shape, frozen=True):
    name: str


class CallAttendant(_Shape, frozen=True):
    reason: str


class ShowLight(_Shape, frozen=True):
    """`light`: green, amber, red, off."""

    light: str


class Beep(_Shape, frozen=True):
    """`sound`: scanned, refused, attention, paid."""

    sound: str


class OrderShutdown(_Shape, frozen=True):
    """Ask for a safe shutdown of the machine."""


class Serve(_Shape, frozen=True):
    """Carry out a technician's deed, then post `ServiceEnded`. `asked` names it."""

    deed: str
    asked: int
    attendant: str
    network: NetworkSetting = NetworkSetting()


class CloseDay(_Shape, frozen=True):
    """Begin the next journal file; only when nothing is open."""

    trading_day: str


class AnswerUpdater(_Shape, frozen=True):
    """Tell the updater whether the lane closed for it; `refusal` is empty if so."""

    asked: str
    refusal: str


class Ignore(_Shape, frozen=True):
    """The event meant nothing here; it is journaled all the same."""

    event: str


# -- facts -------------------------------------------------------------------


class SaleMade(_Shape, frozen=True):
    sale: Sale


class SaleUndone(_Shape, frozen=True):
    """A sale's money went back. `kind`: void or refund."""

    sale_seq: int
    kind: str
    figures: Figures
    attendant: str
    reason: str


class MoneyReturned(_Shape, frozen=True):
    """A reversal of an approved attempt that never became a sale is confirmed."""

    attempt_id: str
    amount_minor: int
    currency: str


class LineStruck(_Shape, frozen=True):
    item_id: str
    amount_minor: int
    attendant: str
    reason: str


class BasketDropped(_Shape, frozen=True):
    """A basket ended without a sale. `why`: shopper, attendant, idle, at_till."""

    basket_id: str
    amount_minor: int
    why: str
    attendant: str = ""
    reason: str = ""


class BasketParked(_Shape, frozen=True):
    basket_id: str
    amount_minor: int
    why: str


class InterventionMade(_Shape, frozen=True):
    reason: str


class InterventionEnded(_Shape, frozen=True):
    reason: str
    attendant: str
    is_approved: bool


class CheckDrawn(_Shape, frozen=True):
    """A lot was drawn for a basket, at this chance."""

    basket_id: str
    chance_per_10000: int
    is_asked: bool


class BasketChecked(_Shape, frozen=True):
    """Staff looked into a basket: `items` were wanted, `found` are on the list,
    `unpaid` are not. Item ids and labels, as scanned."""

    basket_id: str
    chance_per_10000: int
    items: int
    found: tuple[str, ...]
    unpaid: tuple[str, ...]
    attendant: str
    is_good: bool


class OpenItemMade(_Shape, frozen=True):
    item: OpenItem


class OpenItemSettled(_Shape, frozen=True):
    attempt_id: str
    decision: str
    attendant: str
    reason: str
    reference: str


class ExposureChanged(_Shape, frozen=True):
    """What terminals approved offline and their host may still decline, all together."""

    count: int
    sum_minor: int
    since_ms: int


class Alarm(_Shape, frozen=True):
    """Something the owner must know of. `what` in the owner's words."""

    what: str


Command: TypeAlias = (
    PrepareTender
    | Authorize
    | PretendTender
    | CancelAuthorization
    | Query
    | Reverse
    | Refund
    | SettleTerminal
    | PrintReceipt
    | PrintSlip
    | CheckPin
    | SetTimer
    | CancelTimer
    | CallAttendant
    | ShowLight
    | Beep
    | OrderShutdown
    | Serve
    | CloseDay
    | AnswerUpdater
    | Ignore
)
Fact: TypeAlias = (
    SaleMade
    | SaleUndone
    | MoneyReturned
    | LineStruck
    | BasketDropped
    | BasketParked
    | InterventionMade
    | InterventionEnded
    | CheckDrawn
    | BasketChecked
    | OpenItemMade
    | OpenItemSettled
    | ExposureChanged
    | Alarm
)
Effect: TypeAlias = Command | Fact
FACTS = (
    SaleMade,
    SaleUndone,
    MoneyReturned,
    LineStruck,
    BasketDropped,
    BasketParked,
    InterventionMade,
    InterventionEnded,
    CheckDrawn,
    BasketChecked,
    OpenItemMade,
    OpenItemSettled,
    ExposureChanged,
    Alarm,
)
