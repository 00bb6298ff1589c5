"""How a blank kiosk asks a back office to take it, byte for byte: claim and approval.

Values, codecs and the claim code only: no network, no file, no decision. A code
belongs to one machine's key, one back office's key and one claim, and to nothing
else: who compares the code on the screen has compared all three.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kiosk.records.chain import fields
from kiosk.sync.wire import WireError, read

CLAIM_DOMAIN = b"stillopen-claim-1"
CODE_DOMAIN = b"stillopen-claim-code-1"
BOX_DOMAIN = b"stillopen-claim-box-1"

# Read out over a telephone and typed by hand: nothing that looks like another
# (B 8, G 6, I 1, O 0, S 5, U V, Z 2: at most one of each).
LETTERS = "ACDEFGHJKLMNPQRTUWXY3479"
CODE_LENGTH = 8
# 24^8 codes are 10^11. A stranger's key with the same code must be found within the
# day a claim lives: at 16 MiB and some 40 ms a try that takes 50,000 cores.
SCRYPT_COST = 2**14
KEY_BYTES = 32


class Claim(msgspec.Struct, frozen=True):
    """A blank kiosk asks to be known. Signed with the machine's key.

    `box_key` is drawn for this claim alone: the approval is sealed to it.
    `was` is the lane this machine says it was before a factory reset: a hint.
    """

    machine_key: bytes
    box_key: bytes
    office_key: bytes
    hardware: str
    release: str
    was: str = ""


class Approval(msgspec.Struct, frozen=True):
    """What the back office says to a claim; `sealed` is a `Grant` once approved."""

    state: Literal["waiting", "approved", "refused", "expired"]
    sealed: bytes = b""


class Grant(msgspec.Struct, frozen=True):
    """What makes a kiosk a lane. The token is good for one lane, once.

    `pin_secret`: the shop's, by which the lane checks its staff's PINs; none from an
    older back office.
    """

    lane_id: str
    settings: str
    office_key: bytes
    token: str
    pin_secret: bytes = b""

    def __repr__(self) -> str:
        # Two secrets are in it, and a repr finds its way into logs.
        return f"Grant({self.lane_id!r})"


class OfficeKey(msgspec.Struct, frozen=True):
    """The back office's public key, to begin with. The claim code proves it."""

    key: str


def code_of(machine_key: bytes, office_key: bytes, box_key: bytes) -> str:
    """Return the claim code, 8 characters. Slow on purpose: some 40 ms."""
    digest = hashlib.scrypt(
        fields(CODE_DOMAIN, machine_key, office_key, box_key),
        salt=CODE_DOMAIN,
        n=SCRYPT_COST,
        r=8,
        p=1,
        dklen=32,
    )
    number = int.from_bytes(digest)
    code = ""
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(LETTERS))
        code += LETTERS[place]
    return code


def shown(code: str) -> str:
    """Return a code as the screen shows it: two groups of four."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str:
    """Return a code as somebody typed it, or "" when it cannot be one."""
    code = text.upper().replace("-", "").replace(" ", "")
    is_code = len(code) == CODE_LENGTH and all(letter in LETTERS for letter in code)
    return code if is_code else ""


def claim_id_of(claim: Claim) -> str:
    """Return the name of a claim: of this machine, with this box."""
    return hashlib.sha256(
        fields(CLAIM_DOMAIN, claim.machine_key, claim.box_key)
    ).hexdigest()[:24]


def seal_grant(grant: Grant, box_key: bytes) -> bytes:
    """Return a grant that only the holder of the box's private key can read."""
    own = X25519PrivateKey.generate()
    public = own.public_key().public_bytes_raw()
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(box_key))
    except ValueError as error:
        raise WireError("the claim's box key is no key") from error
    cipher = ChaCha20Poly1305(_box_secret(shared, public, box_key))
    # The key is used once, so its nonce may be fixed.
    return public + cipher.encrypt(bytes(12), msgspec.json.encode(grant), None)


def open_grant(sealed: bytes, box: X25519PrivateKey) -> Grant:
    """Return the grant that was sealed to this box, or raise `WireError`."""
    public, content = sealed[:KEY_BYTES], sealed[KEY_BYTES:]
    try:
        shared = box.exchange(X25519PublicKey.from_public_bytes(public))
        secret = _box_secret(shared, public, box.public_key().public_bytes_raw())
        text = ChaCha20Poly1305(secret).decrypt(bytes(12), content, None)
    except (ValueError, InvalidTag) as error:
        raise WireError("the approval is sealed to another claim") from error
    return read(text, Grant)


def _box_secret(shared: bytes, sender: bytes, box_key: bytes) -> bytes:
    info = fields(BOX_DOMAIN, sender, box_key)
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(shared)
