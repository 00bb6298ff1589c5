"""What a simulated card terminal does, without threads, sockets or a clock.

Time is passed in, transactions are kept in a store, words go in and come out:
the process and the deterministic simulation run this same core. It behaves as
real terminals do: one id is charged at most once, a payment goes on when the
lane is gone, and what it stored it can tell again.

Losing power is throwing the core away and making another on the same store.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from hardware.ports import (
    Answer,
    Attempt,
    Outcome,
    PayResult,
    QueryResult,
    TerminalMoment,
    Watermark,
)
from hardware.simulated.terminal_plan import (
    PIN_FROM_MINOR,
    Fault,
    Plan,
    TerminalSettings,
    approval,
    is_same,
    result_of,
)
from hardware.simulated.terminal_store import (
    Kind,
    TerminalStore,
    Transaction,
    TxState,
)
from hardware.simulated.terminal_wire import (
    Accepted,
    Ack,
    AskMark,
    Cancel,
    Confirmed,
    Found,
    Mark,
    Moment,
    Pay,
    Query,
    Refund,
    Refusal,
    Refused,
    Result,
    Reverse,
    ToLane,
    ToTerminal,
    Undone,
)


class Drop(msgspec.Struct, frozen=True):
    """The link of this payment breaks, and none is taken for `seconds`."""

    attempt_id: str
    seconds: float = 0.0


Said: TypeAlias = ToLane | Drop


class _Stage(Enum):
    WAITING = TerminalMoment.WAITING_FOR_CARD
    CARD_SEEN = TerminalMoment.CARD_SEEN
    PIN = TerminalMoment.ENTER_PIN
    HOST = TerminalMoment.HOST
    AWAITING_ACK = TerminalMoment.REMOVE_CARD


class _Dialogue(msgspec.Struct):
    """The one payment under way, lost with the power."""

    transaction: Transaction
    stage: _Stage
    due: float
    presented_at: float | None = None
    plan: Plan = Plan()


class TerminalCore:
    """One card terminal."""

    def __init__(self, store: TerminalStore, settings: TerminalSettings) -> None:
        self._store = store
        self._settings = settings
        self._ledger = {kept.id: kept for kept in store.load()}
        self._last_receipt = max(
            (it.receipt for it in self._ledger.values()), default=0
        )
        self._dialogue: _Dialogue | None = None
        self._plans: deque[Plan] = deque()
        self._undo_plans: deque[Plan] = deque()
        self._wake()

    # What the lane says.

    def handle(self, now: float, word: ToTerminal) -> list[Said]:
        """Take a word from the lane; return the answers to whoever sent it."""
        match word:
            case AskMark():
                return [Mark(self._mark())]
            case Pay(attempt):
                return self._pay(now, attempt)
            case Ack(attempt_id):
                return self._acknowledge(attempt_id)
            case Cancel(attempt_id):
                return self._cancel(attempt_id)
            case Query(attempt):
                return [Found(self._query(attempt))]
            case Reverse(attempt, reversal_id):
                return self._undo(reversal_id, self._reverse(attempt, reversal_id))
            case Refund(attempt, amount_minor, refund_id):
                return self._undo(
                    refund_id, self._refund(attempt, amount_minor, refund_id)
                )

    @property
    def terminal_id(self) -> str:
        """The terminal's number."""
        return self._settings.terminal_id

    @property
    def is_busy(self) -> bool:
        """Is a payment under way, whoever listens?"""
        return self._dialogue is not None

    # What time does.

    @property
    def next_due(self) -> float | None:
        """When `advance` has something to do, or None."""
        if self._dialogue is None:
            return None
        presented_at = self._dialogue.presented_at
        if self._dialogue.stage is _Stage.WAITING and presented_at is not None:
            return min(self._dialogue.due, presented_at)
        return self._dialogue.due

    def advance(self, now: float) -> list[Said]:
        """Do all that is due; return what the lane of the payment is told."""
        said: list[Said] = []
        while (due := self.next_due) is not None and due <= now:
            assert self._dialogue is not None
            said += self._step(self._dialogue, due)
        return said

    # What the shopper and the bench do.

    def present_card(self, now: float) -> bool:
        """Hold a card to the terminal; False when none is asked for."""
        waiting = self._dialogue
        if waiting is None or waiting.stage is not _Stage.WAITING:
            return False
        waiting.presented_at = now
        return True

    def present_automatically(self, after_seconds: float | None) -> None:
        """Let cards come by themselves from the next payment on, or no longer."""
        self._settings = replace(self._settings, present_after_seconds=after_seconds)

    def auto_reverse(self, on: bool) -> None:
        """Reverse what is not acknowledged, from the next result on, or keep it."""
        self._settings = replace(self._settings, auto_reverse=on)

    def fail_next(self, plan: Plan) -> None:
        """Let the next card that is presented go wrong."""
        self._plans.append(plan)

    def fail_next_undo(self, plan: Plan) -> None:
        """Let the next reversal or refund be declined, or its answer be lost."""
        self._undo_plans.append(plan)

    def ledger(self) -> list[Transaction]:
        """Return every transaction, oldest first: the truth about the money."""
        return sorted(self._ledger.values(), key=lambda kept: kept.receipt)

    # Payments.

    def _pay(self, now: float, attempt: Attempt) -> list[Said]:
        asked = attempt.attempt_id
        if attempt.watermark.terminal_id != self._settings.terminal_id:
            return [Refused(asked, Refusal.WRONG_TERMINAL)]
        known = self._ledger.get(asked)
        if known is not None and not is_same(known, attempt):
            return [Refused(asked, Refusal.ID_REUSED)]
        if known is not None and known.state is not TxState.RUNNING:
            # The same id again, whatever for: told again, never charged again.
            return [Accepted(asked), Result(asked, result_of(known))]
        if self._dialogue is not None and self._dialogue.transaction.id == asked:
            moment = Moment(asked, self._dialogue.stage.value)
            return [Accepted(asked), moment]
        if self._dialogue is not None:
            return [Refused(asked, Refusal.BUSY)]
        if attempt.amount_minor <= 0:
            return [Refused(asked, Refusal.BAD_AMOUNT)]
        begun = self._keep(
            Transaction(
                asked,
                self._mark().last_receipt + 1,
                Kind.PAYMENT,
                attempt.amount_minor,
                attempt.currency,
                TxState.RUNNING,
            )
        )
        after = self._settings.present_after_seconds
        self._dialogue = _Dialogue(
            begun,
            _Stage.WAITING,
            now + self._settings.card_seconds,
            None if after is None else now + after,
        )
        return [Accepted(asked), Moment(asked, _Stage.WAITING.value)]

    def _step(self, dialogue: _Dialogue, now: float) -> list[Said]:
        asked = dialogue.transaction.id
        step = self._settings.step_seconds
        match dialogue.stage:
            case _Stage.WAITING if dialogue.presented_at is None or (
                dialogue.presented_at > now
            ):
                return self._end(TxState.CANCELLED, Outcome.CANCELLED, "no card")
            case _Stage.WAITING:
                dialogue.plan = self._plans.popleft() if self._plans else Plan()
                if dialogue.plan.fault is Fault.CANCEL:
                    return self._end(
                        TxState.CANCELLED, Outcome.CANCELLED, "stopped by the shopper"
                    )
                dialogue.stage, dialogue.due = _Stage.CARD_SEEN, now + step
            case _Stage.CARD_SEEN if (
                dialogue.transaction.amount_minor >= PIN_FROM_MINOR
            ):
                dialogue.stage, dialogue.due = _Stage.PIN, now + step
            case _Stage.CARD_SEEN | _Stage.PIN:
                late = dialogue.plan.seconds if self._is_late(dialogue) else 0.0
                dialogue.stage, dialogue.due = _Stage.HOST, now + step + late
            case _Stage.HOST:
                return self._decide(dialogue, now)
            case _Stage.AWAITING_ACK:
                self._dialogue = None
                self._keep(replace(self._ledger[asked], state=TxState.AUTO_REVERSED))
                return []
        said: list[Said] = [Moment(asked, dialogue.stage.value)]
        seen = dialogue.stage is _Stage.CARD_SEEN
        if seen and dialogue.plan.fault is Fault.UNPLUGGED:
            said.append(Drop(asked, dialogue.plan.seconds))
        return said

    def _is_late(self, dialogue: _Dialogue) -> bool:
        return dialogue.plan.fault in (Fault.SLOW, Fault.SILENT)

    def _decide(self, dialogue: _Dialogue, now: float) -> list[Said]:
        """The card's bank has answered."""
        asked, plan = dialogue.transaction, dialogue.plan
        if plan.fault is Fault.DECLINE:
            return self._end(TxState.DECLINED, Outcome.DECLINED, "declined by the bank")
        result = approval(asked, plan)
        # On disk before anybody hears of it.
        self._keep(replace(asked, state=TxState.APPROVED, result=result))
        if self._settings.auto_reverse:
            dialogue.stage = _Stage.AWAITING_ACK
            dialogue.due = now + self._settings.ack_seconds
        else:
            self._dialogue = None
        match plan.fault:
            case Fault.SILENT:
                return []
            case Fault.ANSWER_LOST:
                return [Drop(asked.id)]
            case _:
                removed: list[Said] = (
                    [Moment(asked.id, TerminalMoment.REMOVE_CARD)]
                    if asked.amount_minor >= PIN_FROM_MINOR
                    else []
                )
                return [*removed, Result(asked.id, result)]

    def _end(self, state: TxState, outcome: Outcome, detail: str) -> list[Said]:
        assert self._dialogue is not None
        asked = self._dialogue.transaction
        self._dialogue = None
        result = PayResult(outcome, currency=asked.currency, detail=detail)
        self._keep(replace(asked, state=state, result=result))
        return [Result(asked.id, result)]

    def _acknowledge(self, attempt_id: str) -> list[Said]:
        kept = self._ledger.get(attempt_id)
        if kept is None or kept.state is TxState.RUNNING:
            return []
        if kept.state is TxState.AUTO_REVERSED:
            return [Refused(attempt_id, Refusal.REVERSED)]
        if not kept.acknowledged:
            self._keep(replace(kept, acknowledged=True))
        if self._is_awaiting_ack(attempt_id):
            self._dialogue = None
        return [Confirmed(attempt_id)]

    def _cancel(self, attempt_id: str) -> list[Said]:
        waiting = self._dialogue
        if (
            waiting is None
            or waiting.transaction.id != attempt_id
            or waiting.stage is not _Stage.WAITING
        ):
            return []
        return self._end(TxState.CANCELLED, Outcome.CANCELLED, "cancelled at the lane")

    # Questions and undoing.

    def _query(self, attempt: Attempt) -> QueryResult:
        if attempt.watermark.terminal_id != self._settings.terminal_id:
            # Another terminal hangs on this lane now: its memory proves nothing.
            return QueryResult(Answer.INDETERMINATE)
        kept = self._ledger.get(attempt.attempt_id)
        if kept is None:
            return QueryResult(Answer.NOT_RECEIVED)
        if not is_same(kept, attempt):
            return QueryResult(Answer.INDETERMINATE)
        if kept.state is TxState.RUNNING or self._is_awaiting_ack(kept.id):
            return QueryResult(Answer.IN_PROGRESS)
        if kept.state in (TxState.CUT, TxState.REVERSED, TxState.AUTO_REVERSED):
            return QueryResult(Answer.NOT_CHARGED)
        return QueryResult(Answer.FOUND, kept.result)

    def _reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        if (earlier := self._ledger.get(reversal_id)) is not None:
            return _again(earlier, Kind.REVERSAL, attempt.attempt_id)
        kept = self._ledger.get(attempt.attempt_id)
        if kept is None or kept.kind is not Kind.PAYMENT:
            return PayResult(Outcome.DECLINED, detail="no such payment")
        done = PayResult(
            Outcome.APPROVED, kept.amount_minor, kept.currency, reference=reversal_id
        )
        if kept.state in (TxState.REVERSED, TxState.AUTO_REVERSED):
            return done
        if kept.state is TxState.RUNNING:
            return PayResult(Outcome.UNKNOWN, detail="the payment is still running")
        if kept.state is not TxState.APPROVED or kept.result is None:
            return PayResult(Outcome.DECLINED, detail="nothing was charged")
        if self._refunded(kept.id):
            return PayResult(Outcome.DECLINED, detail="money was refunded already")
        if self._next_undo_fault() is Fault.DECLINE:
            return PayResult(Outcome.DECLINED, detail="reversal refused")
        if self._is_awaiting_ack(kept.id):
            self._dialogue = None
        charged = kept.result.amount_minor
        self._keep(
            replace(kept, state=TxState.REVERSED),
            self._undoing(Kind.REVERSAL, reversal_id, kept, charged),
        )
        return result_of(self._ledger[reversal_id])

    def _refund(self, attempt: Attempt, amount: int, refund_id: str) -> PayResult:
        if (earlier := self._ledger.get(refund_id)) is not None:
            return _again(earlier, Kind.REFUND, attempt.attempt_id, amount)
        kept = self._ledger.get(attempt.attempt_id)
        if kept is None or kept.kept_minor <= 0 or kept.kind is not Kind.PAYMENT:
            return PayResult(Outcome.DECLINED, detail="nothing was charged")
        if not 0 < amount <= kept.kept_minor - self._refunded(kept.id):
            return PayResult(Outcome.DECLINED, detail="more than is left of it")
        if self._next_undo_fault() is Fault.DECLINE:
            return PayResult(Outcome.DECLINED, detail="refund refused")
        self._keep(self._undoing(Kind.REFUND, refund_id, kept, amount))
        return result_of(self._ledger[refund_id])

    def _undo(self, undo_id: str, result: PayResult) -> list[Said]:
        """Answer a reversal or refund, unless its answer is to be lost."""
        lost = (Fault.ANSWER_LOST, Fault.SILENT, Fault.UNPLUGGED)
        if self._undo_plans and self._undo_plans[0].fault in lost:
            plan = self._undo_plans.popleft()
            if plan.fault is Fault.SILENT:
                return []
            return [Drop(undo_id, plan.seconds)]
        return [Undone(result)]

    def _next_undo_fault(self) -> Fault | None:
        if self._undo_plans and self._undo_plans[0].fault is Fault.DECLINE:
            return self._undo_plans.popleft().fault
        return None

    def _undoing(
        self, kind: Kind, undo_id: str, of: Transaction, amount: int
    ) -> Transaction:
        return Transaction(
            undo_id,
            self._mark().last_receipt + 1,
            kind,
            amount,
            of.currency,
            TxState.APPROVED,
            of=of.id,
            acknowledged=True,
            result=PayResult(Outcome.APPROVED, amount, of.currency, reference=undo_id),
        )

    def _refunded(self, attempt_id: str) -> int:
        return -sum(
            kept.kept_minor
            for kept in self._ledger.values()
            if kept.kind is Kind.REFUND and kept.of == attempt_id
        )

    # The ledger.

    def _wake(self) -> None:
        """After power came: what was running was not charged."""
        for kept in list(self._ledger.values()):
            if kept.state is TxState.RUNNING:
                self._keep(replace(kept, state=TxState.CUT))
            elif (
                self._settings.auto_reverse
                and kept.state is TxState.APPROVED
                and not kept.acknowledged
            ):
                self._keep(replace(kept, state=TxState.AUTO_REVERSED))

    def _keep(self, *transactions: Transaction) -> Transaction:
        self._store.put(*transactions)
        for kept in transactions:
            self._ledger[kept.id] = kept
            self._last_receipt = max(self._last_receipt, kept.receipt)
        return transactions[-1]

    def _mark(self) -> Watermark:
        return Watermark(self._settings.terminal_id, self._last_receipt)

    def _is_awaiting_ack(self, attempt_id: str) -> bool:
        return (
            self._dialogue is not None
            and self._dialogue.stage is _Stage.AWAITING_ACK
            and self._dialogue.transaction.id == attempt_id
        )


def _again(
    earlier: Transaction, kind: Kind, of: str, amount: int | None = None
) -> PayResult:
    """Return what a repeated id did, unless it is asked to do something else now."""
    is_same_amount = amount is None or amount == earlier.amount_minor
    if (earlier.kind, earlier.of) == (kind, of) and is_same_amount:
        return result_of(earlier)
    return PayResult(Outcome.DECLINED, detail="this id was used for something else")
