"""What a lane asks of its devices, and what they tell it.

The kiosk imports this module and no other from `hardware`. Real drivers and
simulators both keep these promises; `tests/contract` holds them to it.

Threads: a driver may call `emit` from any thread it owns. `emit` never blocks
and never raises. Every other method is called from one thread at a time.
Opening an absent device is not an error: its health says so, and it is looked
for until `close`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec


class Health(Enum):
    """How far a device can be relied on."""

    READY = "ready"
    DEGRADED = "degraded"
    ABSENT = "absent"


class DeviceState(msgspec.Struct, frozen=True):
    """A device's health changed. `detail` is for the technician.

    `cause` is a word that the lane acts on, where there is something to be done about
    it (`SETTLEMENT_REQUIRED`, `TAMPERING`), and empty otherwise.
    """

    health: Health
    detail: str = ""
    cause: str = ""


# A card terminal refuses every payment until its end of day was run.
SETTLEMENT_REQUIRED = "settlement_required"
# A keyboard-like device typed what no scanner and no keypad types.
TAMPERING = "tampering"


# -- scanner -----------------------------------------------------------------


class Scan(msgspec.Struct, frozen=True):
    """One reading of a label: its bytes, without prefix, suffix or line end.

    `symbology` is the AIM identifier where the device tells it (`]C1`, `]d2`,
    `]Q3`, `]e0`, `]E0`), or empty.
    """

    data: bytes
    symbology: str = ""


class Scanner(Protocol):
    """Anything that reads labels."""

    def open(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        """Start reading; returns at once."""

    def close(self) -> None:
        """Stop reading; returns when the driver's thread has ended."""


class Viewfinder(msgspec.Struct, frozen=True):
    """What a camera sees now, small: one byte of grey a pixel, row by row from the top.

    `outlines` are the corners of the labels found in it, in shares of width and height
    from the left and the top.
    """

    width: int
    height: int
    grey: bytes
    outlines: tuple[tuple[tuple[float, float], ...], ...] = ()


@runtime_checkable
class Camera(Protocol):
    """A scanner that can show what it looks at."""

    def watch(self, show: Callable[[Viewfinder], None]) -> None:
        """Give pictures to `show`, ten a second at most, until `close`.

        Called before `open`. `show` is called from the driver's thread; like `emit` it
        never blocks and never raises.
        """


# -- scale -------------------------------------------------------------------


class Weight(msgspec.Struct, frozen=True):
    """The scale settled on a weight. Zero is told too: the plate is empty."""

    grams: int


class Scale(Protocol):
    """Anything that weighs. It posts settled weights only, each change once."""

    def open(self, emit: Callable[[Weight | DeviceState], None]) -> None:
        """Start weighing; returns at once."""

    def close(self) -> None:
        """Stop; returns when the driver's thread has ended."""


# -- printer -----------------------------------------------------------------


class Align(Enum):
    """Where a line stands on the paper."""

    LEFT = "left"
    CENTER = "center"


class TextLine(msgspec.Struct, frozen=True, tag=True):
    """One line: `left` and `right` are pushed to the paper's two edges.

    A line too long for the paper is wrapped by the driver; `right` stays whole
    on the last line.
    """

    left: str = ""
    right: str = ""
    strong: bool = False
    tall: bool = False
    align: Align = Align.LEFT


class Rule(msgspec.Struct, frozen=True, tag=True):
    """A thin line across the paper."""


class QrCode(msgspec.Struct, frozen=True, tag=True):
    """A QR code that carries `text`."""

    text: str


class LinearCode(msgspec.Struct, frozen=True, tag=True):
    """A Code 128 barcode with its text below, for returns and suspended baskets."""

    text: str


class Cut(msgspec.Struct, frozen=True, tag=True):
    """Feed to the knife and cut."""


PrintRow: TypeAlias = TextLine | Rule | QrCode | LinearCode | Cut


class PrinterTrouble(OSError):
    """The paper did not get all rows. The words are the technician's."""


class Printer(Protocol):
    """Anything that prints receipts."""

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Start watching paper and cover; returns at once."""

    def print(self, rows: Sequence[PrintRow]) -> None:
        """Print all rows. Blocks; raises `PrinterTrouble` when any is missing."""

    def close(self) -> None:
        """Release the device."""


# -- card terminal (card-terminals.md, section 2) ----------------------------


class Outcome(Enum):
    """How one asking of the card terminal ended.

    UNKNOWN means that it was asked and gave no final answer: the card may have
    been charged. Ask with `query`, never with `pay`. NOT_SENT means that not one
    byte of the command reached the terminal.
    """

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    PARTIAL = "partial"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Recovery(Enum):
    """What a terminal can tell of an earlier payment."""

    BY_ID = "by_id"
    LAST_TX = "last_tx"
    NONE = "none"


class Capabilities(msgspec.Struct, frozen=True):
    """What a terminal can do.

    `settlement_needed`: it wants an end of day (`settle`). `force_online`: an attempt
    can be told not to be approved offline (`Attempt.require_online`).
    """

    recovery: Recovery
    cancel: bool = True
    reverse: bool = True
    referenced_refund: bool = True
    settlement_needed: bool = False
    offline_possible: bool = False
    force_online: bool = False


class Watermark(msgspec.Struct, frozen=True):
    """The terminal's identity and its newest stored transaction (0: none).

    `mark` is the driver's own word for that transaction, journaled with the intent and
    given back with `query`; nobody else reads it. It holds no card data.
    """

    terminal_id: str
    last_receipt: int
    mark: str = ""


class Attempt(msgspec.Struct, frozen=True):
    """One asking of the card terminal. Its intent is on disk before `pay`.

    `reference` is that of the result which is on disk already, if any: what a query
    looks for, and what a reversal or refund names.
    """

    attempt_id: str
    amount_minor: int
    currency: str
    watermark: Watermark
    require_online: bool = False
    reference: str = ""


class TerminalError(Enum):
    """Why nothing was charged, where it was not the bank or the shopper who said no.

    The lane acts on it: BUSY and TERMINAL_DOWN wait for the terminal, REJECTED and
    MISCONFIGURED need staff, UNREACHABLE_HOST means no cards at the moment,
    SETTLEMENT_REQUIRED means that `settle` comes first.
    """

    NONE = ""
    BUSY = "busy"
    REJECTED = "rejected"
    UNREACHABLE_HOST = "unreachable_host"
    SETTLEMENT_REQUIRED = "settlement_required"
    TERMINAL_DOWN = "terminal_down"
    MISCONFIGURED = "misconfigured"


class PayResult(msgspec.Struct, frozen=True):
    """How a payment, reversal or refund ended, without any card number.

    `masked_pan` shows the first six and the last four digits at most. `reference` is
    the driver's own word for the transaction: enough to query, reverse or refund it
    later. `approved_offline` is True also where the terminal does not tell.
    `receipt_lines` are the shopper's, `merchant_lines` the shop's; both are redacted, and
    a tab in a line parts what stands left from what stands right.
    `error` stands with DECLINED and NOT_SENT only.
    """

    outcome: Outcome
    amount_minor: int = 0
    currency: str = ""
    auth_code: str = ""
    reference: str = ""
    masked_pan: str = ""
    brand: str = ""
    approved_offline: bool = False
    receipt_lines: tuple[str, ...] = ()
    merchant_lines: tuple[str, ...] = ()
    error: TerminalError = TerminalError.NONE
    detail: str = ""


class Answer(Enum):
    """What a terminal says of an earlier attempt.

    FOUND comes with its result. NOT_RECEIVED: it proves that it never got it.
    NOT_CHARGED: it got it and kept nothing. INDETERMINATE: a person must look.
    """

    FOUND = "found"
    IN_PROGRESS = "in_progress"
    NOT_RECEIVED = "not_received"
    NOT_CHARGED = "not_charged"
    INDETERMINATE = "indeterminate"
    UNREACHABLE = "unreachable"


class QueryResult(msgspec.Struct, frozen=True):
    """The answer to `query`; `result` stands with FOUND only."""

    answer: Answer
    result: PayResult | None = None


class SettleResult(msgspec.Struct, frozen=True):
    """How an end of day ended: APPROVED, DECLINED (try again later) or UNKNOWN.

    `count` and `sum_minor` are the terminal's own totals, to be held against the
    journal's; None where it gave none.
    """

    outcome: Outcome
    count: int | None = None
    sum_minor: int | None = None
    receipt_lines: tuple[str, ...] = ()
    detail: str = ""


class TerminalMoment(Enum):
    """What the shopper is doing at the terminal, for the lane's screen."""

    WAITING_FOR_CARD = "waiting_for_card"
    CARD_SEEN = "card_seen"
    ENTER_PIN = "enter_pin"
    HOST = "host"
    REMOVE_CARD = "remove_card"


class PaymentSink(Protocol):
    """Where a payment under way reports."""

    def moment(self, moment: TerminalMoment) -> None:
        """Tell where the shopper is. Never blocks."""

    def result(self, result: PayResult) -> bool:
        """Hand over the result and wait until it is on disk.

        Returns False when it is not known to be on disk: the driver must then
        not acknowledge it to the terminal.
        """


class CardTerminal(Protocol):
    """Anything that takes card payments.

    `pay`, `query`, `reverse`, `refund` and `settle` block and are called from one
    worker thread; `cancel` may come from another.
    """

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Start watching the link; moves no money; returns at once."""

    def close(self) -> None:
        """Let go of the link."""

    def capabilities(self) -> Capabilities:
        """Say what this terminal can do. Touches nothing."""

    def watermark(self) -> Watermark | None:
        """Return the terminal's mark, or None when it cannot be reached."""

    def pay(self, attempt: Attempt, sink: PaymentSink) -> PayResult:
        """Take a payment; `sink.result` gets the result before it is acknowledged.

        Returns the same result once the terminal closed the dialogue, or UNKNOWN
        when it never did. One financial command per attempt, ever.
        """

    def cancel(self, attempt_id: str) -> None:
        """Ask the terminal to stop waiting for a card. `pay` returns the truth."""

    def query(self, attempt: Attempt) -> QueryResult:
        """Say how an earlier attempt ended. Moves no money; safe to repeat."""

    def reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        """Undo an approved attempt before settlement. Safe to repeat: an attempt
        already reversed is APPROVED."""

    def refund(self, attempt: Attempt, amount_minor: int, refund_id: str) -> PayResult:
        """Give money of an approved attempt back. Safe to repeat by `refund_id`."""

    def settle(self) -> SettleResult:
        """Run the terminal's end of day. APPROVED at once where it needs none.

        Moves no shopper's money; a second one is harmless.
        """


# -- power and light ---------------------------------------------------------


class PowerSource(Enum):
    """Where the current comes from.

    LOW: on battery, and not for long. SHUTDOWN: somebody ordered this machine off, and
    the current goes soon. UNKNOWN: nobody can tell any more.
    """

    MAINS = "mains"
    BATTERY = "battery"
    LOW = "low"
    SHUTDOWN = "shutdown"
    UNKNOWN = "unknown"


class Power(msgspec.Struct, frozen=True):
    """The power changed. Runtime and charge are None where the UPS cannot tell.

    A new `source` is always told; a new runtime or charge alone at most once a minute.
    """

    source: PowerSource
    runtime_seconds: int | None = None
    charge_percent: int | None = None


class Ups(Protocol):
    """Anything that tells mains from battery."""

    def open(self, emit: Callable[[Power | DeviceState], None]) -> None:
        """Start watching; returns at once."""

    def order_shutdown(self) -> None:
        """Ask for a safe shutdown of this machine."""

    def close(self) -> None:
        """Stop watching."""


class Light(Enum):
    """What the lane light says across the shop."""

    OFF = "off"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class LaneLight(Protocol):
    """The light above a lane."""

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Find the light; returns at once."""

    def show(self, light: Light) -> None:
        """Show `light` until told otherwise. Never blocks long, never raises."""

    def close(self) -> None:
        """Switch it off and let go."""


# -- sound and touch for those who do not look --------------------------------


class Speaker(Protocol):
    """Beeps and speech. Nothing here blocks, and nothing raises: a lane without sound
    sells on."""

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Find the sound; returns at once."""

    def play(self, sound: str) -> None:
        """Play a short sound by name (`scanned`, `refused`, `attention`, `paid`)."""

    def say(self, text: str, language: str) -> None:
        """Speak `text`; what was being said stops. `language` as in `de` or `en`."""

    def hush(self) -> None:
        """Stop speaking at once."""

    def close(self) -> None:
        """Be silent and let go."""


class KeypadKey(Enum):
    """The keys of an audio navigation keypad."""

    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    SELECT = "select"
    HELP = "help"
    VOLUME_UP = "volume_up"
    VOLUME_DOWN = "volume_down"
    FASTER = "faster"
    SLOWER = "slower"
    HEADPHONES_IN = "headphones_in"
    HEADPHONES_OUT = "headphones_out"


class KeyPress(msgspec.Struct, frozen=True):
    """One key was pressed; holding it is no second press."""

    key: KeypadKey


class Keypad(Protocol):
    """Anything with keys for the hand that cannot use the screen."""

    def open(self, emit: Callable[[KeyPress | DeviceState], None]) -> None:
        """Start listening; returns at once."""

    def close(self) -> None:
        """Stop; returns when the driver's thread has ended."""
