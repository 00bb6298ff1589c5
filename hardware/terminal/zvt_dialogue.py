"""One ZVT dialogue: a command, and everything until the terminal closes it.

The lane's part of chapters 4.4 and 6 of card-terminals.md: every message is answered,
a result only once it is safe, time-outs are kept, a shopper's cancelling is passed on.
Decides nothing about money (`zvt_decide`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from hardware.ports import TerminalMoment
from hardware.terminal import zvt_commands
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_link import Link, NothingSent
from hardware.terminal.zvt_messages import (
    Abort,
    Ack,
    Completion,
    Intermediate,
    Message,
    Nack,
    PrintBlock,
    PrintLine,
    Status,
    read,
)

# How soon a wish to cancel is looked for while the terminal is silent.
_LOOK_SECONDS = 0.1
_ABORT_SECONDS = 1.0
_CUSTOMER, _MERCHANT = 2, 1


class Timers(msgspec.Struct, frozen=True):
    """ZVT's time limits (PA00P015, 4.4; card-terminals.md 4.4).

    `answer_seconds` is T3. `dialogue_seconds` is T4: a terminal was seen silent for
    120 s while a PIN was entered, so never below 180 with a real one.
    """

    answer_seconds: float = 10.0
    dialogue_seconds: float = 180.0


class Refused(msgspec.Struct, frozen=True):
    """The terminal did not take the command; nothing happened."""

    code: int


class NotKept(msgspec.Struct, frozen=True):
    """The result could not be made safe, so the terminal was not told that it is."""


class Silent(msgspec.Struct, frozen=True):
    """The terminal stopped talking, or what it said was no answer."""

    why: str


class Ended(msgspec.Struct, frozen=True):
    """The terminal closed the dialogue.

    `status` is its last status information. Receipt lines are the terminal's own.
    """

    end: Completion | Abort
    status: Status | None = None
    was_offline: bool = False
    customer_lines: tuple[str, ...] = ()
    merchant_lines: tuple[str, ...] = ()


DialogueEnd: TypeAlias = Refused | NotKept | Silent | Ended


class Dialogue:
    """Holds one dialogue on an open link. Used once, by one thread.

    `on_status` hears each status information before it is acknowledged and says
    whether it may be; `on_moment` hears where the shopper is.
    """

    def __init__(
        self,
        link: Link,
        charset: str,
        timers: Timers,
        on_status: Callable[[Status, bool], bool] = lambda status, was_offline: True,
        on_moment: Callable[[TerminalMoment], None] = lambda moment: None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._link = link
        self._charset = charset
        self._timers = timers
        self._on_status = on_status
        self._on_moment = on_moment
        self._cancel = cancel or threading.Event()
        self._was_abort_sent = False
        self._status: Status | None = None
        self._was_offline = False
        self._lines: dict[int, list[str]] = {_CUSTOMER: [], _MERCHANT: []}
        self._line_kind = _MERCHANT

    def hold(self, command: Apdu) -> DialogueEnd:
        """Send the command and follow the dialogue to its end.

        Raises what the link raises: `NothingSent` before the first byte, else OSError.
        """
        self._link.send(command)
        match self._next(self._timers.answer_seconds, can_cancel=False):
            case Ack():
                pass
            case Nack(code):
                return Refused(code)
            case None:
                return Silent("no answer to the command")
            case other:
                return Silent(f"{type(other).__name__} instead of an answer")
        wait_seconds = self._timers.dialogue_seconds
        while True:
            message = self._next(wait_seconds, can_cancel=self._status is None)
            match message:
                case None:
                    self._give_up()
                    return Silent("the dialogue was not closed in time")
                case Intermediate():
                    if message.wait_minutes is not None:
                        wait_seconds = max(wait_seconds, message.wait_minutes * 60.0)
                    self._was_offline |= message.is_offline
                    self._on_moment(message.moment)
                    self._reply(zvt_commands.ACK)
                case Status():
                    self._status = message
                    if not self._on_status(message, self._was_offline):
                        return NotKept()
                    self._reply(zvt_commands.ACK)
                case PrintLine() | PrintBlock():
                    self._print(message)
                    self._reply(zvt_commands.ACK)
                case Completion() | Abort():
                    self._reply(zvt_commands.ACK)
                    return self._ended(message)
                case Ack() | Nack() if self._was_abort_sent:
                    # Its answer to our 06 B0, which is a wish only.
                    self._was_abort_sent = False
                case Ack() | Nack():
                    return Silent("an answer out of turn")
                case _:
                    # 06 D9, 06 E1 ...: not possible here, and the dialogue goes on.
                    self._reply(zvt_commands.REFUSE)

    def _reply(self, apdu: Apdu) -> None:
        """Send within the dialogue: whatever breaks now, the command has left."""
        try:
            self._link.send(apdu)
        except NothingSent as error:
            raise ConnectionError(str(error)) from error

    def _next(self, seconds: float, *, can_cancel: bool) -> Message | None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            apdu = self._link.receive(min(left, _LOOK_SECONDS))
            if apdu is not None:
                return read(apdu, self._charset)
            if can_cancel and self._cancel.is_set():
                self._cancel.clear()
                self._reply(zvt_commands.abort())
                self._was_abort_sent = True
        return None

    def _give_up(self) -> None:
        """T4: ask the terminal to stop. What it makes of that, a query tells."""
        self._reply(zvt_commands.abort())
        # Its answer must not be taken for that of the next command.
        self._next(min(self._timers.answer_seconds, _ABORT_SECONDS), can_cancel=False)

    def _print(self, printed: PrintLine | PrintBlock) -> None:
        match printed:
            case PrintBlock(kind, lines):
                self._lines.setdefault(kind, []).extend(lines)
            case PrintLine(text, ends_receipt):
                # Lines do not say whose they are: the merchant's receipt comes first.
                self._lines[self._line_kind].append(text)
                if ends_receipt:
                    self._line_kind = _CUSTOMER

    def _ended(self, end: Completion | Abort) -> Ended:
        return Ended(
            end,
            self._status,
            self._was_offline,
            tuple(self._lines[_CUSTOMER]),
            tuple(self._lines[_MERCHANT]),
        )
