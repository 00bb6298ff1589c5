"""Captured nexo envelopes and messages: opened, sealed again, judged."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hardware.ports import Answer, Attempt, Outcome, Watermark
from hardware.terminal import nexo_outcome as outcome
from hardware.terminal.nexo_crypto import Key, Trailer, Unreadable
from hardware.terminal.nexo_envelope import Broken, Clear, Sealed, open_answer
from hardware.terminal.nexo_messages import Answered, Header, read_text

DATA = Path(__file__).parents[3] / "shared" / "data" / "terminals" / "nexo"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the captures are not there: {DATA}"
)


def load(name: str) -> Any:
    path = DATA / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


VECTORS = load("crypto.json").get("vectors", [])
MESSAGES = load("messages.json")
ANSWERS = [v for v in VECTORS if v["root"] == "SaleToPOIResponse"]
vectors = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
answers = pytest.mark.parametrize("vector", ANSWERS, ids=lambda v: v["name"])


def key_of(vector: dict[str, Any]) -> Key:
    return Key(vector["passphrase"], vector["key_identifier"], vector["key_version"])


def envelope_of(vector: dict[str, Any]) -> dict[str, Any]:
    envelope: dict[str, Any] = load(f"{vector['name']}.envelope.json")
    return envelope


def header_of(vector: dict[str, Any]) -> Header:
    told = envelope_of(vector)[vector["root"]]["MessageHeader"]
    return Header(
        told["MessageCategory"], told["ServiceID"], told["SaleID"], told["POIID"]
    )


def opened(vector: dict[str, Any], envelope: dict[str, Any], **header: str) -> object:
    asked = msgspec.structs.replace(header_of(vector), **header)
    return open_answer(key_of(vector), json.dumps(envelope).encode(), asked)


@vectors
def test_a_sealed_message_is_opened_and_sealed_again_to_the_same_bytes(vector):
    told = envelope_of(vector)[vector["root"]]
    trailer = msgspec.convert(told["SecurityTrailer"], Trailer)
    clear = key_of(vector).open(told["NexoBlob"], trailer)
    assert clear == (DATA / f"{vector['name']}.plaintext.json").read_bytes()
    assert len(clear) == vector["plaintext_len"]
    nonce = bytes.fromhex(vector["nonce_hex"])
    assert key_of(vector).seal(clear, nonce) == (told["NexoBlob"], trailer)


@answers
def test_a_captured_approval_is_an_approval(vector):
    answer = opened(vector, envelope_of(vector))
    assert isinstance(answer, Sealed)
    told = answer.answered.payment
    assert told is not None
    amounts = told.payment_result.amounts
    assert amounts.authorized_amount is not None
    minor = int(amounts.authorized_amount.scaleb(2))
    attempt = Attempt(
        told.sale_data.transaction.transaction_id,
        minor,
        amounts.currency,
        Watermark(header_of(vector).poi_id, 0),
    )
    result = outcome.paid(attempt, told)
    assert (result.outcome, result.amount_minor) == (Outcome.APPROVED, minor)
    assert not result.approved_offline
    assert result.receipt_lines
    assert result.merchant_lines
    assert result.reference.count(" ") == 1
    for never in ("1225", "12/2025", "@", "shopper", "K182596230843790"):
        assert never not in repr(result)
    other = msgspec.structs.replace(attempt, attempt_id="another")
    assert outcome.paid(other, told).outcome is Outcome.UNKNOWN
    less = msgspec.structs.replace(attempt, amount_minor=minor - 1)
    assert outcome.paid(less, told).outcome is Outcome.UNKNOWN
    more = msgspec.structs.replace(attempt, amount_minor=minor + 1)
    assert outcome.paid(more, told).outcome is Outcome.PARTIAL


@answers
@pytest.mark.parametrize("field", ["NexoBlob", "Hmac", "Nonce"])
def test_one_changed_bit_is_refused_wherever_it_is(vector, field):
    whole = envelope_of(vector)[vector["root"]]
    holder = whole if field == "NexoBlob" else whole["SecurityTrailer"]
    data = base64.b64decode(holder[field])
    for place in {0, len(data) // 2, len(data) - 1}:
        changed = bytearray(data)
        changed[place] ^= 1
        envelope = json.loads(json.dumps({vector["root"]: whole}))
        told = envelope[vector["root"]]
        target = told if field == "NexoBlob" else told["SecurityTrailer"]
        target[field] = base64.b64encode(changed).decode()
        assert isinstance(opened(vector, envelope), Broken)


@answers
@pytest.mark.parametrize(
    "change",
    [
        {"KeyVersion": 99},
        {"KeyIdentifier": "another"},
        {"AdyenCryptoVersion": 2},
        {"Nonce": base64.b64encode(bytes(15)).decode()},
        {"Nonce": "no base64!"},
    ],
    ids=lambda change: "-".join(change),
)
def test_another_key_or_nonce_is_refused(vector, change):
    envelope = envelope_of(vector)
    envelope[vector["root"]]["SecurityTrailer"].update(change)
    assert isinstance(opened(vector, envelope), Broken)


@answers
def test_a_header_that_is_not_the_one_inside_is_refused(vector):
    envelope = envelope_of(vector)
    envelope[vector["root"]]["MessageHeader"]["ServiceID"] = "999"
    assert isinstance(opened(vector, envelope, service_id="999"), Broken)


@answers
@pytest.mark.parametrize("name", ["category", "service_id", "sale_id", "poi_id"])
def test_an_answer_to_another_request_is_refused(vector, name):
    assert isinstance(opened(vector, envelope_of(vector), **{name: "x"}), Broken)


@answers
def test_the_order_of_a_headers_names_means_nothing(vector):
    envelope = envelope_of(vector)
    header = envelope[vector["root"]]["MessageHeader"]
    envelope[vector["root"]]["MessageHeader"] = dict(sorted(header.items()))
    assert isinstance(opened(vector, envelope), Sealed)


@answers
def test_another_passphrase_opens_nothing(vector):
    told = envelope_of(vector)[vector["root"]]
    key = Key("Another+Phrase1", vector["key_identifier"], vector["key_version"])
    with pytest.raises(Unreadable):
        key.open(told["NexoBlob"], msgspec.convert(told["SecurityTrailer"], Trailer))


# What each captured message is when it comes unsealed: a word at most, never a proof.
UNSEALED = {
    "payment-cancelled": Clear,
    "event-reject": Clear,
    "event-reject-empty-input": Clear,
    "unencrypted-failure-unreachable": Clear,
}


@pytest.mark.parametrize("name", list(MESSAGES))
def test_nothing_unsealed_proves_anything(name):
    data = json.dumps(MESSAGES[name]["message"]).encode()
    answer = open_answer(Key("x", "y", 1), data, Header("Payment", "1", "2", "3"))
    assert not isinstance(answer, Sealed)
    assert isinstance(answer, UNSEALED.get(name, Broken))


def inside(name: str) -> Answered:
    message = MESSAGES[name]["message"]
    told = message.get("SaleToPOIResponse", message)
    return msgspec.json.decode(json.dumps(told), type=Answered, dec_hook=read_text)


def attempt(name: str, minor: int) -> Attempt:
    return Attempt(name, minor, "EUR", Watermark("P400Plus-12345678", 0))


def test_a_captured_cancellation_is_one():
    told = inside("payment-cancelled").payment
    assert told is not None
    result = outcome.paid(attempt("27040", 100), told)
    assert result.outcome is Outcome.CANCELLED
    assert result.detail == "101 Shopper cancelled app selection"


def test_a_captured_status_is_judged_by_the_message_it_repeats():
    told = inside("transaction-status-success").status
    assert told is not None
    found = outcome.answered(attempt("0000060001078117", 7900), told, is_recent=True)
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.outcome is Outcome.APPROVED
    assert found.result.reference.startswith("57eT001544015027011.8815440150351036 ")
    for wrong in (attempt("another", 7900), attempt("0000060001078117", 100)):
        told_of = outcome.answered(wrong, told, is_recent=True)
        assert told_of.answer is Answer.INDETERMINATE


def test_a_status_that_repeats_a_reversal_says_nothing_of_a_payment():
    told = inside("transaction-status-repeats-reversal").status
    assert told is not None
    asked = attempt("1", 300)
    assert outcome.answered(asked, told, is_recent=True).answer is Answer.INDETERMINATE
    assert told.repeated is not None
    order = told.repeated.body.reversal
    assert order is not None
    assert outcome.given_back(asked, order, 300).outcome is Outcome.APPROVED


def test_a_captured_reversal_is_an_order_taken():
    told = inside("reversal-response").reversal
    assert told is not None
    assert outcome.given_back(attempt("1", 1), told, 1).outcome is Outcome.APPROVED


def test_a_captured_diagnosis_is_read():
    told = inside("diagnosis-ok").diagnosis
    assert told is not None
    assert told.status.global_status == "OK"


def test_amounts_are_read_as_decimals():
    told = inside("approved-clear-text").payment
    assert told is not None
    assert isinstance(told.payment_result.amounts.authorized_amount, Decimal)
