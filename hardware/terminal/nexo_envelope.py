"""A nexo message in its envelope: sealed for the terminal, opened for the lane. Pure.

card-terminals.md 7.2. Only what was sealed with the lane's key, whole, and answers the
very request is a `Sealed` answer. A failure in clear text is `Clear`: it proves nothing,
and what says in clear text that money was taken is `Broken`. Never raises on what came.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from hardware.terminal.nexo_crypto import Key, Trailer, Unreadable
from hardware.terminal.nexo_messages import Answered, Asked, Header, read_text
from hardware.terminal.redact import redact_text

# Whatever is wrong with a message. Their words may repeat it: they are not shown.
_BAD = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_REQUEST, _RESPONSE = "SaleToPOIRequest", "SaleToPOIResponse"
_FAILURE = "Failure"


class Sealed(msgspec.Struct, frozen=True):
    """An answer that the terminal alone can have given."""

    answered: Answered


class Clear(msgspec.Struct, frozen=True):
    """A failure or an event in clear text: a word, and no proof of anything."""

    words: str


class Broken(msgspec.Struct, frozen=True):
    """What came is no answer to the request: cut, changed, forged or another's."""

    cause: str


Opened: TypeAlias = Sealed | Clear | Broken


class _Outer(msgspec.Struct, frozen=True):
    """An envelope. Its header is kept as it came, to be held against the inner one."""

    header: dict[str, Any] = msgspec.field(name="MessageHeader")
    blob: str | None = msgspec.field(name="NexoBlob", default=None)
    trailer: Trailer | None = msgspec.field(name="SecurityTrailer", default=None)


class _Event(msgspec.Struct, frozen=True, rename="pascal"):
    event_to_notify: str = ""


class _Told(msgspec.Struct, frozen=True):
    response: _Outer | None = msgspec.field(name=_RESPONSE, default=None)
    request: _Outer | None = msgspec.field(name=_REQUEST, default=None)


class _Bare(msgspec.Struct, frozen=True):
    """The same message, read for what it says instead of how it is wrapped."""

    response: Answered | None = msgspec.field(name=_RESPONSE, default=None)
    request: dict[str, msgspec.Raw] | None = msgspec.field(name=_REQUEST, default=None)


class _Inner(msgspec.Struct, frozen=True):
    header: dict[str, Any] = msgspec.field(name="MessageHeader")


class _InnerMessage(msgspec.Struct, frozen=True):
    response: _Inner = msgspec.field(name=_RESPONSE)


class _InnerAnswer(msgspec.Struct, frozen=True):
    response: Answered = msgspec.field(name=_RESPONSE)


def seal(key: Key, asked: Asked, nonce: bytes) -> bytes:
    """Return a request as it is sent."""
    clear = msgspec.json.encode(
        {_REQUEST: {"MessageHeader": asked.header, **asked.body}}
    )
    blob, trailer = key.seal(clear, nonce)
    return msgspec.json.encode(
        {
            _REQUEST: {
                "MessageHeader": asked.header,
                "NexoBlob": blob,
                "SecurityTrailer": trailer,
            }
        }
    )


def open_answer(key: Key, data: bytes, asked: Header) -> Opened:
    """Return what came as the answer to the request with the header `asked`."""
    try:
        told = msgspec.json.decode(data, type=_Told)
    except _BAD:
        return Broken("not a nexo message")
    if told.response is None:
        return _event(data) if told.request is not None else Broken("an empty message")
    outer = told.response
    if outer.blob is None or outer.trailer is None:
        return _clear(data)
    try:
        clear = key.open(outer.blob, outer.trailer)
        header = msgspec.json.decode(clear, type=_InnerMessage).response.header
        answered = msgspec.json.decode(
            clear, type=_InnerAnswer, dec_hook=read_text
        ).response
    except Unreadable as unreadable:
        return Broken(str(unreadable))
    except _BAD:
        # Its words may hold what was sealed: they are not repeated.
        return Broken("the sealed message is no nexo message")
    if header != outer.header:
        return Broken("the header inside is not the header outside")
    wrong = _wrong_header(header, asked)
    return Broken(wrong) if wrong else Sealed(answered)


def _wrong_header(header: dict[str, Any], asked: Header) -> str:
    """Return what of a header does not answer `asked`, or nothing."""
    wanted = {
        "MessageCategory": asked.category,
        "ServiceID": asked.service_id,
        "SaleID": asked.sale_id,
        "POIID": asked.poi_id,
        "MessageType": "Response",
    }
    wrong = [name for name, value in wanted.items() if header.get(name) != value]
    return f"the answer to another request ({', '.join(wrong)})" if wrong else ""


def _clear(data: bytes) -> Opened:
    """Return a response that was not sealed: at most a failure's words."""
    try:
        answered = msgspec.json.decode(data, type=_Bare, dec_hook=read_text).response
    except _BAD:
        return Broken("neither sealed nor a nexo message")
    response = answered.response if answered is not None else None
    if response is None:
        return Broken("neither sealed nor an answer")
    if response.result != _FAILURE:
        return Broken(f"{response.result[:20]!r} without a seal: forged, or no key set")
    return Clear(redact_text(f"{response.error_condition[:40]} in clear text"))


def _event(data: bytes) -> Opened:
    """Return an event that came where an answer was due."""
    try:
        request = (
            msgspec.json.decode(data, type=_Bare, dec_hook=read_text).request or {}
        )
        event = msgspec.json.decode(
            request.get("EventNotification", b"{}"), type=_Event
        )
    except _BAD:
        return Broken("a request where an answer was due")
    return Clear(redact_text(f"event {event.event_to_notify[:40]}".rstrip()))
