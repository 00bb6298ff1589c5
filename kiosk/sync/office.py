"""The back office as sync reaches it: HTTP, and every way HTTP goes wrong in words.

Believes nothing that is not signed with the back office's key: a hotel's log-in
page, a half body or a stranger's answer is the same as none. Decides nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import msgspec
import requests

from kiosk.records.chain import Entry, Head
from kiosk.records.keys import SigningKey
from kiosk.sync.claim import CLAIM_DOMAIN, Approval, Claim, OfficeKey
from kiosk.sync.push import SyncError, TooLarge
from kiosk.sync.wire import (
    ANSWER_DOMAIN,
    ENROL_DOMAIN,
    HELLO_DOMAIN,
    LOG_DOMAIN,
    Answer,
    Enrol,
    Enrolled,
    Held,
    Hello,
    LogHeld,
    LogPiece,
    Refusal,
    Signed,
    Welcome,
    WireError,
    make_batch,
    pack,
    read,
    seal,
    unseal,
)

# A back office in the same building answers in milliseconds; over a bad line it is
# given long enough for one batch. Silence for longer is the grey failure: offline.
CONNECT_SECONDS = 3.05
ANSWER_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 3600.0
# An answer says a few numbers; whatever is longer is no answer of ours.
LARGEST_ANSWER = 1024 * 1024
# A catalogue of 100,000 items is about 40 MB.
LARGEST_FILE = 512 * 1024 * 1024
# So many times its limit may an answer that keeps coming take in all.
PATIENCE = 30

T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True):
    """What came back, whole. Nothing in it is believed yet."""

    status: int
    content: bytes
    content_type: str
    retry_after: str

    @property
    def wait_seconds(self) -> float:
        """Return how long we are asked to stay away."""
        asked = self.retry_after
        # A date instead of seconds is allowed, and of no use to a clock that jumps.
        return min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdecimal() else 0.0


class NotEnrolled(SyncError):
    """The back office does not know this lane yet, or not any more."""


class Office:
    """The back office at one address, for one lane. Used from one thread."""

    def __init__(
        self,
        url: str,
        lane_id: str,
        key: SigningKey,
        server_key: bytes,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._lane_id = lane_id
        self._key = key
        self._server_key = server_key
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._session = requests.Session()
        # A proxy from the environment is nobody's decision.
        self._session.trust_env = False

    def enrol(self, token: str) -> None:
        """Make this lane known with the shop's enrol token."""
        enrol = Enrol(self._lane_id, self._key.public, token)
        sealed = seal(self._key, ENROL_DOMAIN, enrol)
        reply = self._send("enrol", msgspec.json.encode(sealed), {})
        self._answer(reply, sealed.signature, Enrolled)

    def key(self) -> bytes:
        """Return the key this back office says is its own: proven by nothing yet."""
        reply = self.fetch("office")
        if reply.status != 200:
            raise refused(reply)
        try:
            return bytes.fromhex(read(reply.content, OfficeKey).key)
        except ValueError as error:
            raise strange(reply, str(error)) from error

    def claim(self, claim: Claim) -> Approval:
        """Ask to be known; return how the back office stands to it."""
        sealed = seal(self._key, CLAIM_DOMAIN, claim)
        reply = self._ask(
            "POST",
            "claims",
            msgspec.json.encode(sealed),
            {"Content-Type": "application/json"},
            self._answer_seconds,
            LARGEST_ANSWER,
        )
        return self._answer(reply, sealed.signature, Approval)

    def hello(self, hello: Hello) -> Welcome:
        """Say hello; return what the back office holds of this lane's journal."""
        hello = msgspec.structs.replace(hello, nonce=secrets.token_hex(8))
        sealed = seal(self._key, HELLO_DOMAIN, hello)
        reply = self._send("hello", msgspec.json.encode(sealed), {})
        return self._answer(reply, sealed.signature, Welcome)

    def post(
        self, before: Head, entries: list[Entry], epoch_of: Callable[[int], str]
    ) -> Held | TooLarge:
        """Send entries that follow `before`; return what is held of them."""
        epoch = epoch_of(entries[0].seq)
        batch = make_batch(self._key, self._lane_id, epoch, before, entries)
        reply = self._send(
            "entries",
            pack(batch),
            {"Content-Type": "application/msgpack", "Content-Encoding": "gzip"},
        )
        if reply.status == 413:
            return TooLarge()
        return self._answer(reply, batch.signature, Held)

    def send_log(self, piece: LogPiece) -> LogHeld:
        """Send a piece of the technical log; return how much of it is held."""
        sealed = seal(self._key, LOG_DOMAIN, piece)
        reply = self._send("logs", msgspec.json.encode(sealed), {})
        return self._answer(reply, sealed.signature, LogHeld)

    def fetch(self, path: str, answer_seconds: float = ANSWER_SECONDS) -> Reply:
        """Get something of the shop's or this lane's; the status is the caller's."""
        return self._ask("GET", path, b"", {}, answer_seconds, LARGEST_FILE)

    def fetch_signed(
        self,
        path: str,
        domain: bytes,
        kind: type[T],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> list[tuple[Signed, T]]:
        """Get a list of signed texts, all of them checked; nothing new is empty."""
        reply = self.fetch(path, answer_seconds)
        if reply.status == 204:
            return []
        if reply.status != 200:
            raise refused(reply)
        try:
            found = read(reply.content, list[Signed])
            return [
                (signed, unseal(signed, domain, self._server_key, kind))
                for signed in found
            ]
        except WireError as error:
            raise strange(reply, str(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _send(self, action: str, body: bytes, headers: dict[str, str]) -> Reply:
        return self._ask(
            "POST",
            f"lanes/{self._lane_id}/{action}",
            body,
            {"Content-Type": "application/json", **headers},
            self._answer_seconds,
            LARGEST_ANSWER,
        )

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        answer_seconds: float,
        longest: int,
    ) -> Reply:
        content = bytearray()
        # The library's own limit is for each read: drop by drop would take for ever.
        give_up = monotonic() + PATIENCE * answer_seconds
        try:
            with self._session.request(
                method,
                f"{self._url}/api/v1/{path}",
                data=body,
                headers=headers,
                timeout=(self._connect_seconds, answer_seconds),
                # A log-in page of the network sends us elsewhere; we do not follow.
                allow_redirects=False,
                stream=True,
            ) as response:
                for piece in response.iter_content(65536):
                    content += piece
                    if len(content) > longest:
                        raise SyncError("the answer is far too long", is_online=False)
                    if monotonic() > give_up:
                        raise SyncError("the answer does not end", is_online=False)
                return Reply(
                    response.status_code,
                    bytes(content),
                    response.headers.get("Content-Type", ""),
                    response.headers.get("Retry-After", ""),
                )
        except (requests.RequestException, OSError) as error:
            raise SyncError(_why(error), is_online=False) from error

    def _answer(self, reply: Reply, asked: bytes, kind: type[T]) -> T:
        if reply.status != 200:
            raise refused(reply)
        try:
            signed = read(reply.content, Signed)
            answer = unseal(signed, ANSWER_DOMAIN, self._server_key, Answer)
            if answer.to != asked:
                raise WireError("it answers another question")
            return read(bytes(answer.content), kind)
        except WireError as error:
            raise strange(reply, str(error)) from error


def refused(reply: Reply) -> SyncError:
    """Return an answer other than 200 in words.

    Only a refusal in our own form is taken for the back office's.
    """
    try:
        reason = read(reply.content, Refusal).reason
    except WireError:
        return _failed(reply)
    if reply.status == 401:
        return NotEnrolled(f"the back office refuses: {reason}")
    return SyncError(
        f"the back office refuses: {reason}", wait_seconds=reply.wait_seconds
    )


def _failed(reply: Reply) -> SyncError:
    if reply.status in (429, 503):
        reason = f"the back office is busy ({reply.status})"
    elif 300 <= reply.status < 400:
        reason = (
            "another server answers in the back office's place and sends us "
            f"elsewhere ({reply.status}): a log-in page of the network?"
        )
    else:
        reason = f"the back office failed ({reply.status})"
    return SyncError(reason, is_online=False, wait_seconds=reply.wait_seconds)


def strange(reply: Reply, why: str) -> SyncError:
    """Say what is to be said of a 200 that the back office cannot have sent."""
    if "html" in reply.content_type:
        return SyncError(
            "a web page answered in the back office's place: a log-in page of the "
            "network?",
            is_online=False,
        )
    return SyncError(f"the answer is not the back office's: {why}", is_online=False)


def _why(error: Exception) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "the back office's certificate is not right"
        case requests.exceptions.ConnectTimeout():
            return "the back office does not answer"
        case requests.exceptions.ReadTimeout():
            return "the back office took the request and did not answer"
        case requests.exceptions.ConnectionError():
            return "the back office cannot be reached"
        case _:
            return f"the request failed: {type(error).__name__}"
