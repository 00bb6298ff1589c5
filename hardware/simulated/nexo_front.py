"""The nexo side of the simulated card terminal: words of the core as sealed messages.

Behaves as card-terminals.md 7 and 8 have an Adyen terminal behave in local mode. A
payment's answer waits with its request; questions about it are answered meanwhile. It
can be told to answer as no terminal should.
"""

from __future__ import annotations

import base64
import os
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from hardware.ports import Answer, Attempt, PayResult, Watermark
from hardware.simulated import nexo_words
from hardware.simulated.nexo_words import Words
from hardware.simulated.terminal_core import Drop, Said, TerminalCore
from hardware.simulated.terminal_plan import result_of
from hardware.simulated.terminal_store import Kind, Transaction, TxState
from hardware.simulated.terminal_wire import (
    Cancel,
    Found,
    Pay,
    Query,
    Refund,
    Refused,
    Result,
    Reverse,
    Undone,
)
from hardware.terminal.nexo_crypto import NONCE_BYTES, Key, Trailer, Unreadable
from hardware.terminal.nexo_messages import minor_of

# Amounts are decimal numbers, never floating ones.
_READ = msgspec.json.Decoder(float_hook=Decimal)


class Twist(Enum):
    """How the next payment or question is answered wrongly, or seldom."""

    CLEAR_SUCCESS = "clear_success"
    CLEAR_FAILURE = "clear_failure"
    TAMPERED = "tampered"
    OTHER_REQUEST = "other_request"
    EVENT = "event"
    EMPTY = "empty"
    HTTP_ERROR = "http_error"
    HTTP_REFUSED = "http_refused"
    NOT_REPEATED = "not_repeated"
    TIMED_OUT = "timed_out"
    BASE64 = "base64"
    LEAK = "leak"
    SIGNATURE = "signature"


class Reply(msgspec.Struct, frozen=True):
    """An HTTP answer for whoever asked."""

    to: int
    body: bytes
    status: int = 200


class Gone(msgspec.Struct, frozen=True):
    """The link of whoever asked breaks."""

    to: int
    drop: Drop


Replies: TypeAlias = list[Reply | Gone]


class Book(Protocol):
    """Which ServiceIDs a terminal has taken, and for which payment or order."""

    def get(self, service_id: str) -> str | None: ...

    def put(self, service_id: str, attempt_id: str) -> None: ...


class MemoryBook:
    """A book for as long as the object lives."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def get(self, service_id: str) -> str | None:
        """Return what a ServiceID was taken for."""
        return self._taken.get(service_id)

    def put(self, service_id: str, attempt_id: str) -> None:
        """Keep it."""
        self._taken[service_id] = attempt_id


class FileBook:
    """A book that survives the terminal's power: a line an entry."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.is_file() else []
        self._taken = dict(line.split(" ", 1) for line in lines if " " in line)

    def get(self, service_id: str) -> str | None:
        """Return what a ServiceID was taken for."""
        return self._taken.get(service_id)

    def put(self, service_id: str, attempt_id: str) -> None:
        """Keep it; on disk when it returns."""
        self._taken[service_id] = attempt_id
        with self._path.open("a") as book:
            book.write(f"{service_id} {attempt_id}\n")
            book.flush()
            os.fsync(book.fileno())


class _Request(msgspec.Struct, frozen=True):
    header: dict[str, Any] = msgspec.field(name="MessageHeader")
    blob: str = msgspec.field(name="NexoBlob", default="")
    trailer: Trailer | None = msgspec.field(name="SecurityTrailer", default=None)


class _Envelope(msgspec.Struct, frozen=True):
    request: _Request = msgspec.field(name="SaleToPOIRequest")


class _Waiting(msgspec.Struct, frozen=True):
    """A payment's request, to be answered when the payment ends."""

    to: int
    header: dict[str, Any]
    twist: Twist | None


class NexoFront:
    """One terminal's conversation with whoever asks."""

    def __init__(self, core: TerminalCore, key: Key, book: Book) -> None:
        self._core = core
        self._key = key
        self._book = book
        self._waiting: dict[str, _Waiting] = {}
        self._twists: deque[Twist] = deque()
        self._is_host_away = False

    @property
    def controls(self) -> Mapping[str, Callable[..., None]]:
        """What the bench can tell it beside what every terminal is told."""
        return {
            "twist_next": lambda twist: self.twist_next(Twist(twist)),
            "use_key": self.use_key,
            "lose_host": self.lose_host,
        }

    def twist_next(self, twist: Twist) -> None:
        """Let the next payment, or question about one, be answered so."""
        self._twists.append(twist)

    def lose_host(self, is_away: bool) -> None:
        """Say that the acquirer's host is out of reach, or that it is back."""
        self._is_host_away = is_away

    def use_key(self, passphrase: str, version: int) -> None:
        """Have another key than the lane from now on."""
        self._key = Key(passphrase, self._key.identifier, version)

    def hung_up(self, to: int) -> None:
        """Forget a link; its payment goes on."""
        for attempt_id in [a for a, it in self._waiting.items() if it.to == to]:
            del self._waiting[attempt_id]

    def hear(self, now: float, to: int, data: bytes) -> Replies:
        """Take one request; return what is answered at once."""
        try:
            envelope = msgspec.json.decode(data, type=_Envelope).request
        except msgspec.DecodeError:
            return [Reply(to, b"", 400)]
        header = envelope.header
        try:
            if envelope.trailer is None:
                raise Unreadable("no trailer")
            clear = self._key.open(envelope.blob, envelope.trailer)
        except Unreadable:
            # It cannot seal for a lane whose key it does not have.
            return [Reply(to, _clear(header, nexo_words.failure("NotAllowed")))]
        body = _READ.decode(clear)["SaleToPOIRequest"]
        match header["MessageCategory"]:
            case "Payment":
                return self._pay(now, to, header, body["PaymentRequest"])
            case "TransactionStatus":
                asked = body["TransactionStatusRequest"]["MessageReference"]
                return self._status(now, to, header, asked)
            case "Abort":
                asked = body["AbortRequest"]["MessageReference"]
                return self._abort(now, to, asked["ServiceID"])
            case "Reversal":
                return self._reverse(now, to, header, body["ReversalRequest"])
            case "Diagnosis":
                status = "Busy" if self._core.is_busy else "OK"
                status = "Unreachable" if self._is_host_away else status
                told = {
                    "Response": {"Result": "Success"},
                    "POIStatus": {"GlobalStatus": status},
                }
                return [Reply(to, self._seal(header, "Diagnosis", told))]
            case _:
                return [Reply(to, _clear(header, nexo_words.failure("MessageFormat")))]

    def say(self, said: Said) -> Replies:
        """Say what the core has to say of a payment under way."""
        if not isinstance(said, Result | Drop):
            return []
        waiting = self._waiting.pop(said.attempt_id, None)
        if waiting is None:
            return []
        if isinstance(said, Drop):
            return [Gone(waiting.to, said)]
        return self._paid(waiting, said.attempt_id, said.result)

    # -- payments -------------------------------------------------------------

    def _pay(
        self, now: float, to: int, header: dict[str, Any], asked: dict[str, Any]
    ) -> Replies:
        attempt_id = asked["SaleData"]["SaleTransactionID"]["TransactionID"]
        twist = self._twists.popleft() if self._twists else None
        if twist is Twist.HTTP_REFUSED:
            return [Reply(to, b"", 400)]
        if self._book.get(header["ServiceID"]) is not None:
            told = {"Response": nexo_words.failure("NotAllowed", "ServiceID used")}
            return [Reply(to, self._seal(header, "Payment", told))]
        amounts = asked["PaymentTransaction"]["AmountsReq"]
        currency = amounts["Currency"]
        minor = _minor(amounts["RequestedAmount"], currency)
        mark = Watermark(self._core.terminal_id, 0)
        attempt = Attempt(attempt_id, minor, currency, mark)
        self._book.put(header["ServiceID"], attempt_id)
        self._waiting[attempt_id] = _Waiting(to, header, twist)
        replies: Replies = []
        for said in self._core.handle(now, Pay(attempt)):
            if isinstance(said, Refused):
                del self._waiting[attempt_id]
                told = nexo_words.refused(said.why)
                replies.append(Reply(to, self._seal(header, "Payment", told)))
            else:
                replies += self.say(said)
        return replies

    def _paid(self, waiting: _Waiting, attempt_id: str, result: PayResult) -> Replies:
        header, twist = waiting.header, waiting.twist
        receipt = self._known(attempt_id).receipt
        told = nexo_words.payment(attempt_id, result, receipt, _words(twist))
        if twist is Twist.TIMED_OUT:
            told = told | {
                "Response": nexo_words.failure("Refusal", "Communication timeout")
            }
        return self._twisted(waiting.to, header, "Payment", told, twist)

    def _twisted(
        self,
        to: int,
        header: dict[str, Any],
        category: str,
        told: dict[str, Any],
        twist: Twist | None,
    ) -> Replies:
        match twist:
            case Twist.CLEAR_SUCCESS:
                body = {f"{category}Response": {"Response": {"Result": "Success"}}}
                return [Reply(to, _wrapped(header, body))]
            case Twist.CLEAR_FAILURE:
                return [Reply(to, _clear(header, nexo_words.failure("Refusal")))]
            case Twist.EVENT:
                return [Reply(to, _event(header))]
            case Twist.EMPTY:
                return [Reply(to, b"")]
            case Twist.HTTP_ERROR:
                return [Reply(to, b"", 500)]
            case Twist.OTHER_REQUEST:
                header = header | {"ServiceID": "ANOTHER000"}
            case _:
                pass
        sealed = self._seal(header, category, told)
        if twist is Twist.TAMPERED:
            sealed = _tampered(sealed)
        return [Reply(to, sealed)]

    # -- questions and orders -------------------------------------------------

    def _status(
        self, now: float, to: int, header: dict[str, Any], asked: dict[str, Any]
    ) -> Replies:
        is_payment = asked["MessageCategory"] == "Payment"
        twist = self._twists.popleft() if self._twists and is_payment else None
        told = (
            self._of_payment(now, asked["ServiceID"])
            if is_payment
            else self._of_order(asked["ServiceID"])
        )
        if twist is Twist.NOT_REPEATED:
            told = {"Response": {"Result": "Success"}}
        return self._twisted(to, header, "TransactionStatus", told, twist)

    def _of_payment(self, now: float, service_id: str) -> dict[str, Any]:
        attempt_id = self._book.get(service_id)
        kept = self._find(attempt_id) if attempt_id is not None else None
        if kept is None:
            return {"Response": nexo_words.failure("NotFound")}
        mark = Watermark(self._core.terminal_id, 0)
        attempt = Attempt(kept.id, kept.amount_minor, kept.currency, mark)
        (found,) = self._core.handle(now, Query(attempt))
        assert isinstance(found, Found)
        if found.answer.answer is Answer.IN_PROGRESS:
            return {
                "Response": nexo_words.failure("InProgress", "Uncompleted transaction")
            }
        is_undone = kept.state is TxState.REVERSED and kept.result is not None
        # It repeats what it once answered, whatever came of the money since.
        result = kept.result if is_undone else result_of(kept)
        assert result is not None
        body = nexo_words.payment(kept.id, result, kept.receipt, Words())
        return _repeated("PaymentResponse", body)

    def _of_order(self, service_id: str) -> dict[str, Any]:
        kept = self._find(service_id)
        if kept is None or kept.result is None or kept.kind is Kind.PAYMENT:
            return {"Response": nexo_words.failure("NotFound")}
        body = nexo_words.reversal(kept.result, kept.receipt)
        return _repeated("ReversalResponse", body)

    def _abort(self, now: float, to: int, service_id: str) -> Replies:
        replies: Replies = [Reply(to, b"")]
        attempt_id = self._book.get(service_id)
        if attempt_id is not None:
            for said in self._core.handle(now, Cancel(attempt_id)):
                replies += self.say(said)
        return replies

    def _reverse(
        self, now: float, to: int, header: dict[str, Any], asked: dict[str, Any]
    ) -> Replies:
        name = asked["OriginalPOITransaction"]["POITransactionID"]["TransactionID"]
        receipt = nexo_words.receipt_of(name)
        paid = [kept for kept in self._core.ledger() if kept.receipt == receipt]
        if not paid or paid[0].kind is not Kind.PAYMENT:
            told = {"Response": nexo_words.failure("NotFound")}
            return [Reply(to, self._seal(header, "Reversal", told))]
        order = header["ServiceID"]
        if self._find(order) is not None:
            told = {"Response": nexo_words.failure("NotAllowed", "ServiceID used")}
            return [Reply(to, self._seal(header, "Reversal", told))]
        kept = paid[0]
        mark = Watermark(self._core.terminal_id, 0)
        attempt = Attempt(kept.id, kept.amount_minor, kept.currency, mark)
        word: Reverse | Refund = Reverse(attempt, order)
        if "ReversedAmount" in asked:
            minor = _minor(asked["ReversedAmount"], kept.currency)
            word = Refund(attempt, minor, order)
        replies: Replies = []
        for said in self._core.handle(now, word):
            if isinstance(said, Undone):
                told = nexo_words.reversal(said.result, receipt)
                replies.append(Reply(to, self._seal(header, "Reversal", told)))
            elif isinstance(said, Drop):
                replies.append(Gone(to, said))
        return replies

    # -- messages -------------------------------------------------------------

    def _find(self, transaction_id: str) -> Transaction | None:
        return next((it for it in self._core.ledger() if it.id == transaction_id), None)

    def _known(self, transaction_id: str) -> Transaction:
        kept = self._find(transaction_id)
        assert kept is not None
        return kept

    def _seal(
        self, header: dict[str, Any], category: str, told: dict[str, Any]
    ) -> bytes:
        answer = header | {"MessageType": "Response"}
        clear = msgspec.json.encode(
            {
                "SaleToPOIResponse": {
                    "MessageHeader": answer,
                    f"{category}Response": told,
                }
            }
        )
        blob, trailer = self._key.seal(clear, os.urandom(NONCE_BYTES))
        sealed = {"MessageHeader": answer, "NexoBlob": blob, "SecurityTrailer": trailer}
        return msgspec.json.encode({"SaleToPOIResponse": sealed})


def _minor(amount: Decimal | int, currency: str) -> int:
    return minor_of(Decimal(amount), currency) or 0


def _words(twist: Twist | None) -> Words:
    return Words(
        is_base64=twist is Twist.BASE64,
        leaks=twist is Twist.LEAK,
        wants_signature=twist is Twist.SIGNATURE,
    )


def _repeated(name: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "Response": {"Result": "Success"},
        "RepeatedMessageResponse": {"RepeatedResponseMessageBody": {name: body}},
    }


def _wrapped(header: dict[str, Any], body: dict[str, Any]) -> bytes:
    answer = header | {"MessageType": "Response"}
    return msgspec.json.encode({"SaleToPOIResponse": {"MessageHeader": answer, **body}})


def _clear(header: dict[str, Any], response: dict[str, Any]) -> bytes:
    return _wrapped(
        header, {f"{header['MessageCategory']}Response": {"Response": response}}
    )


def _event(header: dict[str, Any]) -> bytes:
    told = header | {"MessageCategory": "Event", "MessageType": "Notification"}
    event = {"EventToNotify": "Reject", "EventDetails": "message=Rejected"}
    return msgspec.json.encode(
        {"SaleToPOIRequest": {"MessageHeader": told, "EventNotification": event}}
    )


def _tampered(sealed: bytes) -> bytes:
    """Change one bit of what is sealed."""
    told = msgspec.json.decode(sealed)
    blob = bytearray(base64.b64decode(told["SaleToPOIResponse"]["NexoBlob"]))
    blob[len(blob) // 2] ^= 1
    told["SaleToPOIResponse"]["NexoBlob"] = base64.b64encode(blob).decode()
    return msgspec.json.encode(told)
