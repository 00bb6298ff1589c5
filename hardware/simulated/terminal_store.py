"""What the simulated card terminal keeps: every transaction, for good.

Kept apart from the lane's records on purpose: after any accident this is the
truth about the shopper's money that the lane is measured against.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Protocol

import apsw
import msgspec

from hardware.ports import PayResult


class Kind(Enum):
    """What a transaction does."""

    PAYMENT = "payment"
    REVERSAL = "reversal"
    REFUND = "refund"


class TxState(Enum):
    """Where a transaction stands. CUT: the terminal lost power before the charge."""

    RUNNING = "running"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    CUT = "cut"
    REVERSED = "reversed"
    AUTO_REVERSED = "auto_reversed"


class Transaction(msgspec.Struct, frozen=True):
    """One line of the terminal's ledger, by the id the lane gave it.

    `of` names the payment that a reversal or refund belongs to.
    """

    id: str
    receipt: int
    kind: Kind
    amount_minor: int
    currency: str
    state: TxState
    of: str = ""
    acknowledged: bool = False
    result: PayResult | None = None

    @property
    def kept_minor(self) -> int:
        """What the shopper paid (or got back, below zero) by this transaction."""
        if self.state is not TxState.APPROVED or self.result is None:
            return 0
        match self.kind:
            case Kind.PAYMENT:
                return self.result.amount_minor
            case Kind.REFUND:
                return -self.amount_minor
            case Kind.REVERSAL:
                # The payment itself is marked as reversed.
                return 0


class TerminalStore(Protocol):
    """Where transactions are kept."""

    def load(self) -> list[Transaction]:
        """Return all transactions, oldest first."""

    def put(self, *transactions: Transaction) -> None:
        """Write them, all or none; on disk when it returns."""


class Day(Protocol):
    """What a terminal remembers of its last end of day."""

    @property
    def settled_receipt(self) -> int: ...

    def settle(self, receipt: int) -> None: ...


class MemoryStore:
    """Keeps transactions for as long as the object lives: a disk for simulations."""

    def __init__(self) -> None:
        self._kept: dict[str, Transaction] = {}

    def load(self) -> list[Transaction]:
        """Return all transactions, oldest first."""
        return sorted(self._kept.values(), key=lambda it: it.receipt)

    def put(self, *transactions: Transaction) -> None:
        """Keep them."""
        self._kept |= {transaction.id: transaction for transaction in transactions}


class SqliteStore:
    """Keeps transactions in a file that survives the death of lane and terminal."""

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        # As the lane's journal: on disk when `put` returns.
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.execute(
            "create table if not exists transactions (id text primary key,"
            " receipt integer not null unique, body text not null) strict"
        )

    def load(self) -> list[Transaction]:
        """Return all transactions, oldest first."""
        rows = self._db.execute("select body from transactions order by receipt")
        return [msgspec.json.decode(body, type=Transaction) for (body,) in rows]

    def put(self, *transactions: Transaction) -> None:
        """Write them, all or none; on disk when it returns."""
        with self._db:
            for transaction in transactions:
                body = msgspec.json.encode(transaction).decode()
                self._db.execute(
                    "insert into transactions values (?, ?, ?)"
                    " on conflict (id) do update set body = excluded.body",
                    (transaction.id, transaction.receipt, body),
                )

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class DayFile:
    """Which receipt was the last before the newest end of day; survives the process."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_suffix(".day")

    @property
    def settled_receipt(self) -> int:
        """The newest receipt that an end of day closed, 0 for none."""
        try:
            return int(self._path.read_text())
        except FileNotFoundError:
            return 0

    def settle(self, receipt: int) -> None:
        """Close the day with this receipt; on disk when it returns."""
        aside = self._path.with_suffix(".new")
        aside.write_text(str(receipt))
        os.replace(aside, self._path)


class MemoryDay:
    """The same for as long as the object lives."""

    def __init__(self) -> None:
        self.settled_receipt = 0

    def settle(self, receipt: int) -> None:
        """Close the day with this receipt."""
        self.settled_receipt = receipt
