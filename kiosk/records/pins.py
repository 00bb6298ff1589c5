"""Attendants' PINs: how one is hashed, checked and found too easy.

A PIN is never kept, logged or journaled. Hashing takes some 160 ms of processor time
and 64 MiB by intent: call it from a worker, never from the lane's or Kivy's thread.
How often one may try is the lane's business, counted in the journal.
"""

from __future__ import annotations

import hmac
from itertools import groupby

import argon2
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 6
LONGEST = 12

# reliability.md 3.3: all PINs of six digits then cost 44 core-hours, and without the
# device secret they cost nothing less than guessing 32 bytes.
_MEMORY_KIB = 64 * 1024
_hasher = PasswordHasher(
    time_cost=3, memory_cost=_MEMORY_KIB, parallelism=1, type=Type.ID
)

_ROWS = ("01234567890123456789", "98765432109876543210")
# Down the columns and across the keypad.
_KEYPAD = ("147258369", "963852741", "159753", "357951", "258046", "741852963")


class WeakPin(ValueError):
    """A PIN that is too easy to guess. The words are the attendant's."""


def hash_pin(secret: bytes, pin: str) -> str:
    """Return what the roster keeps of a PIN; `WeakPin` when it is too easy."""
    if why := weakness(pin):
        raise WeakPin(why)
    return _hasher.hash(_with_secret(secret, pin))


def check_pin(secret: bytes, pin_hash: str, pin: str) -> bool:
    """Say whether this is the PIN. A hash that cannot be read fits no PIN."""
    try:
        parameters = argon2.extract_parameters(pin_hash)
        # A hash that asks for gigabytes would stop the lane: none of ours does.
        if parameters.memory_cost > _MEMORY_KIB or parameters.time_cost > 10:
            return False
        return _hasher.verify(pin_hash, _with_secret(secret, pin))
    except (InvalidHashError, VerificationError):
        return False


def weakness(pin: str) -> str:
    """Say why a PIN is too easy to guess; empty when it is good enough."""
    if not (pin.isascii() and pin.isdigit()):
        return "A PIN has digits only."
    if len(pin) < SHORTEST:
        return f"A PIN has {SHORTEST} digits or more."
    if len(pin) > LONGEST:
        return f"A PIN has {LONGEST} digits at most."
    if any(pin in row for row in _ROWS):
        return "A PIN is not a row of numbers."
    if any(pin.startswith(path) or path.startswith(pin) for path in _KEYPAD):
        return "A PIN is not a pattern on the keypad."
    for length in range(1, len(pin) // 2 + 1):
        if pin == (pin[:length] * len(pin))[: len(pin)]:
            return "A PIN does not repeat itself."
    runs = sum(1 for _ in groupby(pin))
    if len(set(pin)) < 3 or runs <= len(pin) // 2:
        return "A PIN does not repeat itself."
    return ""


def _with_secret(secret: bytes, pin: str) -> bytes:
    return hmac.digest(secret, b"stillopen-pin-1:" + pin.encode(), "sha256")
