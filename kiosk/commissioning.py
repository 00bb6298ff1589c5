"""Commissioning a card terminal: proof that it can tell how a payment ended.

A small real payment is taken, asked about, and given back. Only a terminal that told
the truth about it may take shoppers' money (card-terminals.md 2 and 6.6): after a power
cut that answer is all there is. What was done is on disk before and after each step, so
that a trial which was cut short is finished, and given back, by the next one.

Runs while the lane is stopped; it is no sale and stands in no journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from hardware.ports import (
    Answer,
    Attempt,
    CardTerminal,
    Outcome,
    PayResult,
    QueryResult,
    Recovery,
    TerminalMoment,
    Watermark,
)
from kiosk.records.disk import replace_file

# A terminal that lost its line is asked for as long as it may wait for a card (ZVT T4,
# 180 s), and once more after the minute in which it may take a payment back.
PATIENCE_SECONDS = 300.0
ASK_AGAIN_SECONDS = 2.0

_MOMENTS = {
    TerminalMoment.WAITING_FOR_CARD: "Hold a real card to the terminal now.",
    TerminalMoment.ENTER_PIN: "Enter the card's PIN at the terminal.",
    TerminalMoment.REMOVE_CARD: "Take the card.",
}


class NotCommissioned(Exception):
    """The terminal may not be used. The words are the technician's."""


class Trial(msgspec.Struct, frozen=True):
    """One trial payment and how far it came. `stage`: asked, approved, over."""

    attempt_id: str
    amount_minor: int
    currency: str
    terminal_id: str
    last_receipt: int
    mark: str
    stage: str = "asked"
    reference: str = ""

    @property
    def attempt(self) -> Attempt:
        """The trial as its terminal knows it."""
        return Attempt(
            self.attempt_id,
            self.amount_minor,
            self.currency,
            Watermark(self.terminal_id, self.last_receipt, self.mark),
            reference=self.reference,
        )


class Clock(Protocol):
    """How long something takes (`time`)."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


class Commissioning:
    """Tries one terminal; `say` tells the technician what happens, a line at a time."""

    def __init__(
        self,
        terminal: CardTerminal,
        trial_file: Path,
        say: Callable[[str], None],
        clock: Clock = time,
    ) -> None:
        self._terminal = terminal
        self._file = trial_file
        self._say = say
        self._clock = clock

    def run(self, attempt_id: str, amount_minor: int, currency: str) -> str:
        """Return the id of the terminal that proved itself, or raise
        `NotCommissioned`."""
        self._finish_earlier()
        recovery = self._terminal.capabilities().recovery
        if recovery is Recovery.NONE:
            raise NotCommissioned(
                "This terminal cannot tell how a payment ended. It may be used only"
                " with payments.manual_reconciliation = true, and then staff must"
                " settle every payment that was cut short."
            )
        mark = self._terminal.watermark()
        if mark is None:
            raise NotCommissioned(
                "The terminal does not answer, or cannot tell its last transaction."
                " Check cable, address and password: `kiosk devices` says more."
            )
        self._say(f"Terminal {mark.terminal_id} answers.")
        trial = Trial(
            attempt_id,
            amount_minor,
            currency,
            mark.terminal_id,
            mark.last_receipt,
            mark.mark,
        )
        result = self._pay(trial)
        self._compare(replace(trial, reference=result.reference), result)
        self._give_back(replace(trial, reference=result.reference))
        return mark.terminal_id

    # The sink of the trial payment.

    def moment(self, moment: TerminalMoment) -> None:
        """Tell the technician what to do at the terminal."""
        if moment in _MOMENTS:
            self._say(_MOMENTS[moment])

    def result(self, result: PayResult) -> bool:
        """Keep the result before the terminal is told that it is safe."""
        trial = self._kept()
        if trial is not None and result.outcome is Outcome.APPROVED:
            self._keep(replace(trial, stage="approved", reference=result.reference))
        return True

    # Steps.

    def _pay(self, trial: Trial) -> PayResult:
        self._say(f"A trial payment of {trial.amount_minor} {trial.currency} (cents).")
        self._keep(trial)
        result = self._terminal.pay(trial.attempt, self)
        if result.outcome is Outcome.UNKNOWN:
            raise NotCommissioned(
                f"The trial payment has no clear end ({result.detail or 'no answer'})."
                " Run this again: it asks the terminal, and gives the money back."
            )
        if result.outcome is not Outcome.APPROVED:
            self._over(trial)
            raise NotCommissioned(
                f"The trial payment was not approved: {result.outcome.value}"
                f" {result.error.value} {result.detail}".rstrip()
            )
        self._say("Approved.")
        return result

    def _compare(self, trial: Trial, paid: PayResult) -> None:
        told = self._ask(trial)
        found = told.result
        if (
            told.answer is not Answer.FOUND
            or found is None
            or (found.outcome, found.amount_minor, found.currency, found.reference)
            != (Outcome.APPROVED, trial.amount_minor, trial.currency, paid.reference)
        ):
            self._give_back(trial)
            raise NotCommissioned(
                "The terminal was asked for its last payment and did not tell the one"
                f" just made (it said: {told.answer.value}). It cannot be used: after"
                " a power cut nobody would know whether a shopper has paid."
            )
        self._say("The terminal tells that payment when it is asked.")

    def _give_back(self, trial: Trial) -> None:
        undone = self._terminal.reverse(trial.attempt, f"{trial.attempt_id}-r")
        if undone.outcome is not Outcome.APPROVED:
            raise NotCommissioned(
                f"The trial payment {trial.reference} of {trial.amount_minor}"
                f" {trial.currency} was not given back: {undone.outcome.value}"
                f" {undone.detail}. Run this again, or reverse it at the terminal."
            )
        self._over(trial)
        self._say("The trial payment was given back.")

    def _ask(self, trial: Trial) -> QueryResult:
        until = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            told = self._terminal.query(trial.attempt)
            if told.answer not in (Answer.IN_PROGRESS, Answer.UNREACHABLE):
                return told
            if self._clock.monotonic() > until:
                raise NotCommissioned(
                    "The terminal does not say how the trial payment ended."
                    " Run this again when it answers."
                )
            self._clock.sleep(ASK_AGAIN_SECONDS)

    # A trial that was cut short.

    def _finish_earlier(self) -> None:
        trial = self._kept()
        if trial is None or trial.stage == "over":
            return
        self._say(f"An earlier trial payment ({trial.attempt_id}) was cut short.")
        told = self._ask(trial)
        match told.answer:
            case Answer.FOUND if told.result and (
                told.result.outcome is Outcome.APPROVED
            ):
                self._give_back(replace(trial, reference=told.result.reference))
            case Answer.INDETERMINATE:
                raise NotCommissioned(
                    f"Nobody can tell whether {trial.amount_minor} {trial.currency} were"
                    f" taken at terminal {trial.terminal_id}. Look into its own"
                    f" journal, reverse it there, then remove {self._file}."
                )
            case _:
                self._over(trial)
                self._say("Nothing was taken by it.")

    def _over(self, trial: Trial) -> None:
        self._keep(replace(trial, stage="over"))

    def _keep(self, trial: Trial) -> None:
        replace_file(self._file, msgspec.json.encode(trial))

    def _kept(self) -> Trial | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Trial)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise NotCommissioned(
                f"{self._file} cannot be read ({error}); look into the terminal's own"
                " journal for a trial payment, then remove the file."
            ) from error
