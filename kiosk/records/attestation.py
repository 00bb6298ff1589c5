"""The lane's signed word of what it is: release, root, journal head, time, lane.

One line of text, short enough for a QR picture; `kiosk attest verify` reads it on any
machine. It proves who holds the lane's key, not that the running code is unchanged:
that is what a TPM's quote would add.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from kiosk.records.chain import Head, fields
from kiosk.records.keys import LaneKey, is_signed

DOMAIN = b"stillopen-attest-1"
_PREFIX = f"{DOMAIN.decode()}:"
_SIGNATURE_BYTES = 64


class Attested(msgspec.Struct, frozen=True, array_like=True):
    """What is attested. Hashes are raw bytes; `root_hash` is empty without verity."""

    lane_id: str
    release: str
    root_hash: bytes
    seq: int
    digest: bytes
    at_ms: int

    @property
    def signed_text(self) -> bytes:
        """The bytes that the lane signs: netstrings, as in the journal."""
        return fields(
            DOMAIN,
            self.lane_id.encode(),
            self.release.encode(),
            self.root_hash,
            str(self.seq).encode(),
            self.digest,
            str(self.at_ms).encode(),
        )


class NoAttestation(ValueError):
    """The text is no attestation code. The words are the reader's."""


def attest(
    key: LaneKey, *, lane_id: str, release: str, root_hash: str, head: Head, at_ms: int
) -> str:
    """Return the attestation code of a lane at this moment."""
    attested = Attested(
        lane_id,
        release,
        bytes.fromhex(root_hash),
        head.seq,
        bytes.fromhex(head.digest),
        at_ms,
    )
    signature = key.sign(attested.signed_text)
    content = msgspec.msgpack.encode(attested) + signature
    return _PREFIX + base64.urlsafe_b64encode(content).decode().rstrip("=")


def read(code: str, public_key: bytes) -> tuple[Attested, bool]:
    """Return what a code says, and whether that lane's key signed exactly this."""
    text = "".join(code.split())
    if not text.startswith(_PREFIX):
        raise NoAttestation(f"an attestation code begins with {_PREFIX}")
    body = text.removeprefix(_PREFIX)
    try:
        content = base64.b64decode(
            body + "=" * (-len(body) % 4), altchars=b"-_", validate=True
        )
        if len(content) <= _SIGNATURE_BYTES:
            raise NoAttestation("the code is cut short")
        attested = msgspec.msgpack.decode(content[:-_SIGNATURE_BYTES], type=Attested)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise NoAttestation("the code is damaged: read or copy it again") from error
    signature = content[-_SIGNATURE_BYTES:]
    return attested, is_signed(public_key, attested.signed_text, signature)
