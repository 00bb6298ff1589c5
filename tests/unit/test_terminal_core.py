"""The simulated terminal's core keeps its ledger straight whatever happens to it.

Time, faults, power cuts and a lane that repeats itself are drawn at random; no
thread, socket or clock takes part.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.ports import Answer, Attempt, Outcome, Watermark
from hardware.simulated.terminal_core import TerminalCore
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import (
    Kind,
    MemoryStore,
    SqliteStore,
    TxState,
)
from hardware.simulated.terminal_wire import (
    Ack,
    Cancel,
    Confirmed,
    Found,
    Pay,
    Query,
    Refund,
    Result,
    Reverse,
    Undone,
)

ATTEMPTS = [
    Attempt(f"a{n}", 1000 + n, "EUR", Watermark("SIM-0001", 0)) for n in range(4)
]
an_attempt = st.sampled_from(ATTEMPTS)
a_step = st.one_of(
    st.builds(Pay, an_attempt),
    st.builds(Ack, an_attempt.map(lambda it: it.attempt_id)),
    st.builds(Cancel, an_attempt.map(lambda it: it.attempt_id)),
    st.builds(Query, an_attempt),
    st.builds(Reverse, an_attempt, st.sampled_from(["r0", "r1"])),
    st.builds(Refund, an_attempt, st.integers(0, 1100), st.sampled_from(["f0", "f1"])),
    st.builds(
        Plan,
        st.sampled_from([fault for fault in Fault if fault is not Fault.WRONG_AMOUNT]),
        st.floats(0, 5),
    ),
    st.sampled_from(["card", "power cut", "wait", "wait long"]),
)


class Table:
    """A terminal on a table, with somebody who pulls its plug."""

    def __init__(self, auto_reverse):
        self.store = MemoryStore()
        self.settings = TerminalSettings(auto_reverse=auto_reverse)
        self.core = TerminalCore(self.store, self.settings)
        self.now = 0.0
        self.said = []

    def do(self, step):
        match step:
            case "card":
                self.core.present_card(self.now)
            case "power cut":
                self.core = TerminalCore(self.store, self.settings)
            case "wait":
                self.wait(0.3)
            case "wait long":
                self.wait(70)
            case Plan():
                self.core.fail_next(step)
            case _:
                self.said += self.core.handle(self.now, step)

    def wait(self, seconds):
        self.now += seconds
        self.said += self.core.advance(self.now)

    def answer(self, attempt):
        (found,) = self.core.handle(self.now, Query(attempt))
        assert isinstance(found, Found)
        return found.answer.answer


@settings(max_examples=300, deadline=None)
@given(st.booleans(), st.lists(a_step, max_size=40))
def test_no_id_is_charged_twice_and_what_was_told_is_what_is_kept(auto_reverse, steps):
    table = Table(auto_reverse)
    for step in steps:
        table.do(step)
    table.wait(1000)
    ledger = table.core.ledger()
    assert ledger == table.store.load()
    assert max(Counter(kept.id for kept in ledger).values(), default=1) == 1
    assert [kept.receipt for kept in ledger] == list(range(1, len(ledger) + 1))
    for attempt in ATTEMPTS:
        ours = [k for k in ledger if attempt.attempt_id in (k.id, k.of)]
        assert 0 <= sum(kept.kept_minor for kept in ours) <= attempt.amount_minor
    approved = {
        word.attempt_id
        for word in table.said
        if isinstance(word, Result) and word.result.outcome is Outcome.APPROVED
    }
    charged = {
        kept.id
        for kept in ledger
        if kept.kind is Kind.PAYMENT
        and kept.state in (TxState.APPROVED, TxState.REVERSED, TxState.AUTO_REVERSED)
    }
    assert approved <= charged
    confirmed = {word.attempt_id for word in table.said if isinstance(word, Confirmed)}
    auto = {kept.id for kept in ledger if kept.state is TxState.AUTO_REVERSED}
    assert not confirmed & auto


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.lists(a_step, max_size=30))
def test_a_query_tells_the_end_once_all_is_quiet_and_never_changes_it(
    auto_reverse, steps
):
    table = Table(auto_reverse)
    for step in steps:
        table.do(step)
    table.wait(1000)
    before = table.core.ledger()
    kept = {it.id: it for it in before}
    for attempt in ATTEMPTS:
        answer = table.answer(attempt)
        assert answer is not Answer.IN_PROGRESS
        if attempt.attempt_id not in kept:
            assert answer is Answer.NOT_RECEIVED
        elif kept[attempt.attempt_id].kept_minor:
            assert answer is Answer.FOUND
    assert table.core.ledger() == before


@settings(max_examples=100, deadline=None)
@given(st.lists(a_step, max_size=20))
def test_the_same_story_ends_in_the_same_ledger(steps):
    first, second = Table(True), Table(True)
    for step in steps:
        first.do(step)
        second.do(step)
    assert first.core.ledger() == second.core.ledger()
    assert first.said == second.said


def test_an_id_that_undid_one_payment_undoes_no_other():
    table = Table(auto_reverse=False)
    table.core.present_automatically(0.0)
    for attempt in ATTEMPTS[:2]:
        table.do(Pay(attempt))
        table.wait(10)
    for step in (Reverse(ATTEMPTS[0], "r0"), Reverse(ATTEMPTS[1], "r0")):
        table.do(step)
    undone = [word.result.outcome for word in table.said if isinstance(word, Undone)]
    assert undone == [Outcome.APPROVED, Outcome.DECLINED]
    assert table.answer(ATTEMPTS[1]) is Answer.FOUND


def test_what_the_file_keeps_is_what_memory_keeps(tmp_path):
    path = tmp_path / "terminal.db"
    table = Table(auto_reverse=False)
    store = SqliteStore(path)
    on_disk = TerminalCore(store, table.settings)
    for core in (table.core, on_disk):
        core.present_automatically(0.0)
        core.handle(0.0, Pay(ATTEMPTS[0]))
        core.advance(10.0)
        core.handle(10.0, Ack("a0"))
        (undone,) = core.handle(11.0, Refund(ATTEMPTS[0], 400, "f0"))
        assert isinstance(undone, Undone)
        assert undone.result.outcome is Outcome.APPROVED
    store.close()
    again = SqliteStore(path)
    assert again.load() == table.core.ledger()
    assert sum(kept.kept_minor for kept in again.load()) == 600
    again.close()
