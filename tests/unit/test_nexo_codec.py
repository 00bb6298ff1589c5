"""Whatever a nexo terminal sends, the codec answers with a value."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.ports import Attempt, Outcome, Watermark
from hardware.terminal import nexo_outcome as outcome
from hardware.terminal.nexo_crypto import NONCE_BYTES, Key, check_passphrase
from hardware.terminal.nexo_envelope import Broken, Clear, Sealed, open_answer, seal
from hardware.terminal.nexo_messages import Speaker, major, minor_of
from hardware.terminal.nexo_text import Additional, MaskedPan, Piece

KEY = Key("Simulated+Lane1", "lane", 1)
SPEAKER = Speaker("lane-1", "V400m-347374578")
ASKED = SPEAKER.payment("A123456789", "t1", (1099, "EUR"), "now", require_online=False)
ATTEMPT = Attempt("t1", 1099, "EUR", Watermark("V400m-347374578", 0))

NAMES = st.sampled_from(
    [
        "SaleToPOIResponse",
        "SaleToPOIRequest",
        "MessageHeader",
        "NexoBlob",
        "SecurityTrailer",
        "Nonce",
        "PaymentResponse",
        "Response",
        "Result",
        "ErrorCondition",
        "AdditionalResponse",
        "PaymentResult",
        "AmountsResp",
        "AuthorizedAmount",
        "Currency",
        "OnlineFlag",
        "PaymentReceipt",
        "OutputContent",
        "OutputText",
        "Text",
        "EndOfLineFlag",
        "CardData",
        "MaskedPan",
        "SaleData",
        "SaleTransactionID",
        "TransactionID",
        "RepeatedMessageResponse",
        "EventNotification",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(["Success", "Failure", "EUR", "4111111111111111"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=30,
)


def sealed(body: dict[str, Any], **header: str) -> bytes:
    told = msgspec.to_builtins(ASKED.header) | {"MessageType": "Response"} | header
    clear = msgspec.json.encode({"SaleToPOIResponse": {"MessageHeader": told} | body})
    blob, trailer = KEY.seal(clear, os.urandom(NONCE_BYTES))
    return msgspec.json.encode(
        {
            "SaleToPOIResponse": {
                "MessageHeader": told,
                "NexoBlob": blob,
                "SecurityTrailer": trailer,
            }
        }
    )


@given(st.binary(max_size=300) | JSON.map(lambda told: json.dumps(told).encode()))
@settings(max_examples=400)
def test_no_bytes_are_an_exception_or_a_proof(data):
    assert isinstance(open_answer(KEY, data, ASKED.header), Clear | Broken)


@given(st.dictionaries(NAMES, JSON, max_size=6))
@settings(max_examples=400)
def test_whatever_is_sealed_is_judged_without_an_exception(body):
    answer = open_answer(KEY, sealed(body), ASKED.header)
    if isinstance(answer, Sealed) and answer.answered.payment is not None:
        result = outcome.paid(ATTEMPT, answer.answered.payment)
        assert result.outcome is not Outcome.APPROVED or result.amount_minor == 1099


@given(JSON)
@settings(max_examples=300)
def test_whatever_stands_in_an_answer_is_judged_without_an_exception(part):
    body = {
        "PaymentResponse": {"Response": {"Result": "Success"}, "PaymentResult": part}
    }
    answer = open_answer(KEY, sealed(body), ASKED.header)
    if isinstance(answer, Sealed) and answer.answered.payment is not None:
        paid = outcome.paid(ATTEMPT, answer.answered.payment)
        assert paid.outcome is Outcome.UNKNOWN


def test_lists_within_lists_without_end_are_no_message():
    deep = b"[" * 200_000
    assert isinstance(open_answer(KEY, deep, ASKED.header), Broken)
    hidden = b'{"SaleToPOIResponse":{"MessageHeader":{"a":' + deep
    assert isinstance(open_answer(KEY, hidden, ASKED.header), Broken)


@given(st.text(max_size=300))
def test_no_text_is_an_exception(text):
    for read in (Additional, Piece, MaskedPan):
        repr(read(text))


@given(st.text(alphabet="0123456789 *-", max_size=40))
def test_at_most_ten_digits_of_a_card_are_shown(text):
    assert sum(c.isdigit() for c in MaskedPan(text).text) <= 10


@pytest.mark.parametrize("amount", ["1E+999999999", "-1", "0.001", "1e15", "10.995"])
def test_no_strange_amount_is_money(amount):
    read = msgspec.json.decode(amount, type=msgspec.Raw)
    body = {
        "PaymentResponse": {
            "Response": {"Result": "Success"},
            "SaleData": {"SaleTransactionID": {"TransactionID": "t1"}},
            "PaymentResult": {
                "AmountsResp": {"AuthorizedAmount": read, "Currency": "EUR"}
            },
        }
    }
    answer = open_answer(KEY, sealed(body), ASKED.header)
    assert isinstance(answer, Sealed)
    assert answer.answered.payment is not None
    paid = outcome.paid(ATTEMPT, answer.answered.payment)
    assert paid.outcome is Outcome.UNKNOWN


@given(st.integers(0, 10**9), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_an_amount_survives_the_wire_to_its_last_digit(minor, currency):
    assert minor_of(Decimal(major(minor, currency)), currency) == minor


def test_what_is_sent_holds_its_amount_as_a_number_and_nothing_in_clear():
    data = seal(KEY, ASKED, bytes(NONCE_BYTES))
    assert b"10.99" not in data
    assert b"PaymentRequest" not in data
    told = json.loads(data)["SaleToPOIRequest"]
    clear = KEY.open(
        told["NexoBlob"],
        msgspec.convert(told["SecurityTrailer"], type(KEY.seal(b"x", bytes(16))[1])),
    )
    assert b'"RequestedAmount":10.99' in clear


@pytest.mark.parametrize(
    "passphrase",
    ["short+A1", "alllowercase+1", "ALLUPPER+1234", "NoDigits+here", "NoSpecial1234"],
)
def test_a_weak_passphrase_is_refused_in_words(passphrase):
    with pytest.raises(ValueError, match="12 characters"):
        check_passphrase(passphrase)
    check_passphrase("Long+Enough+1")
