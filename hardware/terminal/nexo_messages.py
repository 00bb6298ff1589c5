"""The nexo messages of a lane and its terminal: asked for, and read. Pure.

card-terminals.md 8 (Adyen Terminal API, nexo Sale to POI 3.0). What is read is only what
has a name here: card data, names and addresses that a terminal sends never become a
value. Nobody can send card data: no function here takes any.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from hardware.terminal.nexo_text import TEXTS, Additional, MaskedPan, Piece

PROTOCOL_VERSION = "3.0"
PAYMENT, REVERSAL = "Payment", "Reversal"
_STATUS, _ABORT, _DIAGNOSIS = "TransactionStatus", "Abort", "Diagnosis"

# How many digits the minor unit has where it is not two (ISO 4217).
_MINOR_DIGITS = {"ISK": 0, "JPY": 0, "KRW": 0, "CLP": 0, "BHD": 3, "KWD": 3, "OMR": 3}
# Past this many digits before the point no amount of a shop is meant.
_MOST_DIGITS = 12

Body: TypeAlias = Mapping[str, Any]


class Header(
    msgspec.Struct, frozen=True, rename={"sale_id": "SaleID", "poi_id": "POIID"}
):
    """Whose message it is, and which it answers."""

    category: str = msgspec.field(name="MessageCategory")
    service_id: str = msgspec.field(name="ServiceID", default="")
    sale_id: str = ""
    poi_id: str = ""
    type: str = msgspec.field(name="MessageType", default="Request")
    message_class: str = msgspec.field(name="MessageClass", default="Service")
    version: str = msgspec.field(name="ProtocolVersion", default=PROTOCOL_VERSION)


# -- what the lane asks ------------------------------------------------------


class Asked(msgspec.Struct, frozen=True):
    """A request: its header and what it asks."""

    header: Header
    body: Body


class Speaker(msgspec.Struct, frozen=True):
    """Who talks to whom: the lane's name and the terminal's."""

    sale_id: str
    poi_id: str

    def payment(
        self,
        service_id: str,
        attempt_id: str,
        amount: tuple[int, str],
        when: str,
        *,
        require_online: bool,
    ) -> Asked:
        """Ask for a payment of `amount`: minor units and currency. `when` is UTC."""
        minor, currency = amount
        transaction: dict[str, Any] = {
            "AmountsReq": {
                "Currency": currency,
                "RequestedAmount": msgspec.Raw(major(minor, currency).encode()),
            }
        }
        if require_online:
            transaction["TransactionConditions"] = {"ForceOnlineFlag": True}
        body = {
            "SaleData": {
                "SaleTransactionID": {"TransactionID": attempt_id, "TimeStamp": when}
            },
            "PaymentTransaction": transaction,
        }
        return self._asked(PAYMENT, service_id, body)

    def status(self, service_id: str, category: str, of: str) -> Asked:
        """Ask how the payment or reversal with the ServiceID `of` ended."""
        body = {
            "ReceiptReprintFlag": True,
            "DocumentQualifier": ["CashierReceipt", "CustomerReceipt"],
            "MessageReference": {
                "MessageCategory": category,
                "SaleID": self.sale_id,
                "ServiceID": of,
            },
        }
        return self._asked(_STATUS, service_id, body)

    def abort(self, service_id: str, of: str) -> Asked:
        """Ask to stop waiting for a card for the payment with the ServiceID `of`."""
        body = {
            "AbortReason": "MerchantAbort",
            "MessageReference": {
                "MessageCategory": PAYMENT,
                "SaleID": self.sale_id,
                "ServiceID": of,
            },
        }
        return self._asked(_ABORT, service_id, body)

    def reversal(
        self, service_id: str, reference: str, part: tuple[int, str] | None = None
    ) -> Asked:
        """Ask to give a payment back by its reference: all of it, or a part."""
        transaction_id, _, when = reference.partition(" ")
        body: dict[str, Any] = {
            "OriginalPOITransaction": {
                "POITransactionID": {"TransactionID": transaction_id, "TimeStamp": when}
            },
            "ReversalReason": "MerchantCancel",
        }
        if part is not None:
            body["ReversedAmount"] = msgspec.Raw(major(*part).encode())
        return self._asked(REVERSAL, service_id, body)

    def diagnosis(self, service_id: str) -> Asked:
        """Ask the terminal how it is, without asking its host."""
        return self._asked(_DIAGNOSIS, service_id, {"HostDiagnosisFlag": False})

    def _asked(self, category: str, service_id: str, body: Body) -> Asked:
        header = Header(category, service_id, self.sale_id, self.poi_id)
        return Asked(header, {f"{category}Request": body})


def major(minor: int, currency: str) -> str:
    """Return an amount of minor units as JSON has it: 1099 EUR is `10.99`."""
    digits = _MINOR_DIGITS.get(currency, 2)
    if not digits:
        return str(minor)
    whole, part = divmod(minor, 10**digits)
    return f"{whole}.{part:0{digits}}"


def minor_of(amount: Decimal, currency: str) -> int | None:
    """Return an amount in minor units, or None where it has a part of one."""
    if not amount.is_finite() or amount.adjusted() >= _MOST_DIGITS or amount < 0:
        return None
    scaled = amount.scaleb(_MINOR_DIGITS.get(currency, 2))
    return int(scaled) if scaled == scaled.to_integral_value() else None


# -- what the terminal answers: the names that are read, and no others --------


class _Read(msgspec.Struct, frozen=True, rename="pascal"):
    """A part of a message. What has no name here is dropped as it is read."""


class Response(_Read, frozen=True):
    """How a request ended."""

    result: str
    error_condition: str = ""
    additional: Additional = msgspec.field(
        name="AdditionalResponse", default_factory=lambda: Additional("")
    )


class TransactionId(_Read, frozen=True):
    """A transaction, by its id and moment at whoever gave the id."""

    transaction_id: str = msgspec.field(name="TransactionID", default="")
    time_stamp: str = ""


class SaleData(_Read, frozen=True):
    """The lane's own name for the payment: its attempt id."""

    transaction: TransactionId = msgspec.field(
        name="SaleTransactionID", default=TransactionId()
    )


class PoiData(_Read, frozen=True):
    """The terminal's name for the payment: what a reversal names."""

    transaction: TransactionId = msgspec.field(
        name="POITransactionID", default=TransactionId()
    )


class Amounts(_Read, frozen=True):
    """What was authorised, in major units."""

    authorized_amount: Decimal | None = None
    currency: str = ""


class AcquirerData(_Read, frozen=True):
    """What the acquirer says of it."""

    approval_code: str = ""


class CardData(_Read, frozen=True):
    """What is shown of a card. Number, expiry and name have no place here."""

    masked_pan: MaskedPan = msgspec.field(default_factory=lambda: MaskedPan(""))
    payment_brand: str = ""


class InstrumentData(_Read, frozen=True):
    """What was paid with."""

    card_data: CardData = CardData()


class PaymentResult(_Read, frozen=True):
    """What was taken."""

    amounts: Amounts = msgspec.field(name="AmountsResp", default=Amounts())
    online_flag: bool | None = None
    acquirer: AcquirerData = msgspec.field(
        name="PaymentAcquirerData", default=AcquirerData()
    )
    instrument: InstrumentData = msgspec.field(
        name="PaymentInstrumentData", default=InstrumentData()
    )


class OutputText(_Read, frozen=True):
    """A piece of a receipt."""

    text: Piece = msgspec.field(default_factory=lambda: Piece(""))
    end_of_line_flag: bool = True


class OutputContent(_Read, frozen=True):
    """The pieces of a receipt."""

    output_text: tuple[OutputText, ...] = ()


class Receipt(_Read, frozen=True):
    """The shop's or the shopper's receipt."""

    document_qualifier: str = ""
    required_signature_flag: bool = False
    output_content: OutputContent = OutputContent()


class PaymentResponse(_Read, frozen=True):
    """How a payment ended."""

    response: Response
    sale_data: SaleData = SaleData()
    poi_data: PoiData = msgspec.field(name="POIData", default=PoiData())
    payment_result: PaymentResult = PaymentResult()
    payment_receipt: tuple[Receipt, ...] = ()


class ReversalResponse(_Read, frozen=True):
    """Whether the acquirer received the order to give back."""

    response: Response
    poi_data: PoiData = msgspec.field(name="POIData", default=PoiData())


class RepeatedBody(_Read, frozen=True):
    """What the terminal once answered: one of the two."""

    payment: PaymentResponse | None = msgspec.field(
        name="PaymentResponse", default=None
    )
    reversal: ReversalResponse | None = msgspec.field(
        name="ReversalResponse", default=None
    )


class Repeated(_Read, frozen=True):
    """What the terminal once answered."""

    body: RepeatedBody = msgspec.field(
        name="RepeatedResponseMessageBody", default=RepeatedBody()
    )


class StatusResponse(_Read, frozen=True):
    """What the terminal knows of an earlier request."""

    response: Response
    repeated: Repeated | None = msgspec.field(
        name="RepeatedMessageResponse", default=None
    )


class PoiStatus(_Read, frozen=True):
    """How the terminal is: OK, Busy, Maintenance, Unreachable."""

    global_status: str = ""


class DiagnosisResponse(_Read, frozen=True):
    """How the terminal is."""

    response: Response
    status: PoiStatus = msgspec.field(name="POIStatus", default=PoiStatus())


class Answered(_Read, frozen=True):
    """What a terminal's message holds: at most one of these."""

    payment: PaymentResponse | None = msgspec.field(
        name="PaymentResponse", default=None
    )
    reversal: ReversalResponse | None = msgspec.field(
        name="ReversalResponse", default=None
    )
    status: StatusResponse | None = msgspec.field(
        name="TransactionStatusResponse", default=None
    )
    diagnosis: DiagnosisResponse | None = msgspec.field(
        name="DiagnosisResponse", default=None
    )

    @property
    def response(self) -> Response | None:
        """How the request ended, whichever it was."""
        for one in (self.payment, self.reversal, self.status, self.diagnosis):
            if one is not None:
                return one.response
        return None


def read_text(kind: type, value: object) -> object:
    """Make one of the texts of what came (`dec_hook` of msgspec)."""
    if kind in TEXTS and isinstance(value, str):
        return kind(value)
    raise ValueError("expected a text")
