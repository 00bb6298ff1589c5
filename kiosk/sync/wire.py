"""What the lane's sync and the back office say to each other, byte for byte.

Values and codecs only: no network, no file, no decision. Batches and hellos are
signed with the lane's key; answers, documents and directives with the back office's.
A reader ignores fields it does not know; none is ever renamed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from typing import TypeVar

import msgspec

from kiosk.records.chain import Entry, Head, fields
from kiosk.records.keys import SigningKey, is_signed

BATCH_DOMAIN = b"stillopen-batch-1"
HELLO_DOMAIN = b"stillopen-hello-1"
ENROL_DOMAIN = b"stillopen-enrol-1"
ANSWER_DOMAIN = b"stillopen-answer-1"
DOCUMENT_DOMAIN = b"stillopen-document-1"
DIRECTIVE_DOMAIN = b"stillopen-directive-1"
LOG_DOMAIN = b"stillopen-log-1"

# A hundred entries are about 100 kB and 10 kB on the wire; the largest single entry
# (a carried state) stays far below. What unpacks to more is an attack or an error.
LARGEST_BODY = 8 * 1024 * 1024
LARGEST_UNPACKED = 64 * 1024 * 1024

NOTHING = Head(0, "")


class WireError(ValueError):
    """Bytes that are not what they should be. The words are the technician's."""


class Signed(msgspec.Struct, frozen=True):
    """A text and its signature. Nothing is read from `text` before it is checked."""

    text: bytes
    signature: bytes


class Batch(msgspec.Struct, frozen=True):
    """Entries in order: those that follow `before`, with nothing in between.

    The first entry's number is higher than `before.seq + 1` only where the lane
    itself no longer has what stood there. `content` is the entries, packed.
    """

    lane_id: str
    epoch: str
    before: Head
    first: int
    last: int
    head: str
    content: bytes
    signature: bytes = b""


class Held(msgspec.Struct, frozen=True):
    """What the server holds of the sender's journal without a gap.

    `new_epoch` is set for a journal that became two: the lane is asked to begin
    its next file under that epoch.
    """

    held: Head
    new_epoch: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Why the server takes nothing, in words, with the status that says it in HTTP."""

    status: int
    reason: str


class Hello(msgspec.Struct, frozen=True):
    """How every contact begins.

    `points` are some of the journal's heads, newest first, denser towards the end:
    from them the server sees how far it agrees. `ahead_of_me` is set when the
    server's last answer held more than this journal has: it came from a copy.
    """

    lane_id: str
    epoch: str
    head: Head
    points: tuple[Head, ...]
    nonce: str = ""
    ahead_of_me: int = 0
    oldest_unsent_ms: int = 0
    catalog_version: int = 0
    release: str = ""
    # Of the machine below the lane: the running slot, the updater's last outcome.
    slot: str = ""
    updater: str = ""


class Welcome(msgspec.Struct, frozen=True):
    """The answer to a hello.

    `common` is the newest of the points that the server holds; `held` the end of
    the chain it belongs to, which the lane checks against its own entries.
    """

    server_epoch: str
    held: Head
    common: Head
    new_epoch: str = ""
    now_ms: int = 0


class Enrol(msgspec.Struct, frozen=True):
    """A blank lane asks to be known. Signed with the key it brings."""

    lane_id: str
    public_key: bytes
    token: str


class Enrolled(msgspec.Struct, frozen=True):
    """The lane is known from now on."""

    lane_id: str


class Answer(msgspec.Struct, frozen=True):
    """A server's signed answer: to which request, and its content as JSON."""

    to: bytes
    content: msgspec.Raw


class Document(msgspec.Struct, frozen=True):
    """A roster or rules for lanes. Of one kind, only a higher version is taken."""

    kind: str
    version: int
    content: msgspec.Raw


class Directive(msgspec.Struct, frozen=True):
    """An order to one lane, good until `expires_ms`.

    `order`: pause, resume, approve, refuse, logs; `asked` names an intervention,
    `hours` says how far back the log is wanted.
    """

    directive_id: str
    lane_id: str
    order: str
    expires_ms: int
    attendant: str = ""
    asked: int = 0
    reason: str = ""
    hours: int = 0


class LogPiece(msgspec.Struct, frozen=True):
    """A part of the technical log that a directive asked for, gzip'd text."""

    lane_id: str
    directive_id: str
    number: int
    is_last: bool
    content: bytes


class LogHeld(msgspec.Struct, frozen=True):
    """How many pieces of a log are held."""

    pieces: int


T = TypeVar("T")

_entries_encoder = msgspec.msgpack.Encoder()
_entries_decoder = msgspec.msgpack.Decoder(tuple[Entry, ...])


# -- batches -----------------------------------------------------------------


def batch_text(batch: Batch) -> bytes:
    """Return what the lane signs of a batch.

    The content's own hash is part of it, so that an entry changed on the lane's
    disk can be told from one changed on the way.
    """
    return fields(
        BATCH_DOMAIN,
        batch.lane_id.encode(),
        batch.epoch.encode(),
        b"%d" % batch.before.seq,
        batch.before.digest.encode(),
        b"%d" % batch.first,
        b"%d" % batch.last,
        batch.head.encode(),
        hashlib.sha256(batch.content).digest(),
    )


def make_batch(
    key: SigningKey,
    lane_id: str,
    epoch: str,
    before: Head,
    entries: list[Entry],
) -> Batch:
    """Return the signed batch of entries that follow `before`. Never of none."""
    batch = Batch(
        lane_id,
        epoch,
        before,
        entries[0].seq,
        entries[-1].seq,
        entries[-1].digest,
        _entries_encoder.encode(entries),
    )
    signature = key.sign(batch_text(batch))
    return msgspec.structs.replace(batch, signature=signature)


def entries_of(batch: Batch) -> tuple[Entry, ...]:
    """Return a batch's entries, in order and as announced, or raise `WireError`."""
    try:
        entries = _entries_decoder.decode(batch.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"the batch's entries cannot be read: {error}") from error
    if not entries:
        raise WireError("the batch is empty")
    seq = batch.before.seq
    for entry in entries:
        if entry.seq <= seq:
            raise WireError(f"entry {entry.seq} stands after entry {seq}")
        seq = entry.seq
    announced = (batch.first, batch.last, batch.head)
    if (entries[0].seq, entries[-1].seq, entries[-1].digest) != announced:
        raise WireError("the batch does not hold the entries it announces")
    return entries


def pack(batch: Batch) -> bytes:
    """Return a batch as it travels: MessagePack, compressed."""
    # Level 1: a lane is a small machine, and entries are alike enough for it.
    return gzip.compress(msgspec.msgpack.encode(batch), compresslevel=1, mtime=0)


def unpack(body: bytes) -> Batch:
    """Return the batch that travelled, or raise `WireError`."""
    try:
        # Read no more than a batch may be, whatever a few kilobytes unpack to.
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            content = file.read(LARGEST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise WireError(f"the batch is not whole: {error}") from error
    if len(content) > LARGEST_UNPACKED:
        raise WireError("the batch unpacks to more than a batch may be")
    try:
        return msgspec.msgpack.decode(content, type=Batch)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"the batch cannot be read: {error}") from error


# -- signed texts ------------------------------------------------------------


def seal(key: SigningKey, domain: bytes, value: msgspec.Struct) -> Signed:
    """Return a value as signed JSON. A signature for one domain is none in another."""
    text = msgspec.json.encode(value)
    return Signed(text, key.sign(fields(domain, text)))


def unseal(signed: Signed, domain: bytes, public_key: bytes, kind: type[T]) -> T:
    """Return what was sealed with that key, or raise `WireError`."""
    if not is_signed(public_key, fields(domain, signed.text), signed.signature):
        raise WireError("the signature is not from the key it should be from")
    return read(signed.text, kind)


def read(text: bytes, kind: type[T]) -> T:
    """Return JSON from outside as a value, or raise `WireError`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(f"this is no {kind.__name__.lower()}: {error}") from error
