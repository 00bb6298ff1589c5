"""The simulated printer without its wires: buffer, head, paper, sensors, faults."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from hardware.simulated.control import (
    Control,
)
from hardware.simulated.escpos_paper import Paper, PieceOfPaper
from hardware.simulated.escpos_parse import (
    Command,
    Feed,
    Parser,
    Piece,
)

log = logging.getLogger(__name__)

# Pieces of the stream: about the 4 KiB of a small printer. Full, the wire stops.
BUFFER_PIECES = 400
# `DLE DC4 8`'s answer: the buffer is clear.
BUFFER_CLEARED = b"\x37\x25\x00"
# What `GS I` is answered.
IDENTITY = {65: b"1.0", 66: b"Stillopen", 67: b"simulated printer"}


class SimulatedPrinter:
    """A printer's mechanism and its faults. Wires are attached to it.

    One lock guards everything; the head runs on a thread of its own.
    """

    def __init__(
        self, out: Path, width_mm: int = 80, *, pushes_status: bool = True
    ) -> None:
        self._out = out
        self._paper = Paper(width_mm)
        self._change = threading.Condition()
        self._buffer: deque[tuple[Piece, Callable[[bytes], None]]] = deque()
        self._parser = Parser()
        self._off: list[tuple[PieceOfPaper, str]] = []
        self._receipts: list[dict[str, str]] = []
        self._lines_left: int | None = None
        self._lines_printed = 0
        self._is_cover_open = False
        self._is_paper_low = False
        self._is_knife_jammed = False
        self._will_jam = False
        self._pushes_status = pushes_status
        # Who is told by itself, and what they were last told.
        self._told: dict[Callable[[bytes], None], bytes] = {}
        self._is_silent = False
        self._is_unplugged = False
        self._line_seconds = 0.0
        self._stopped = False
        self._drawer_kicks = 0
        out.mkdir(parents=True, exist_ok=True)
        self._number = len(list(out.glob("receipt-*.png")))
        self._head = threading.Thread(target=self._run, name="head", daemon=True)
        self._head.start()

    # What it can be told.

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            "paper_out": self.paper_out,
            "paper_low": self.paper_low,
            "paper_in": self.paper_in,
            "open_cover": self.open_cover,
            "close_cover": self.close_cover,
            "jam_knife": self.jam_knife,
            "free_knife": self.free_knife,
            "silence": self.silence,
            "speak": self.speak,
            "slow": self.slow,
            "unplug": self.unplug,
            "plug": self.plug,
            "stop": self.stop,
            "receipts": self.receipts,
            "wait_for_receipts": self.wait_for_receipts,
            "wait_for_lines": self.wait_for_lines,
        }

    def paper_out(self, after_lines: int = 0) -> None:
        """End the roll, now or after so many more lines."""
        self._set("_lines_left", after_lines)

    def paper_low(self) -> None:
        """Let the near-end sensor see the core."""
        self._set("_is_paper_low", True)

    def paper_in(self) -> None:
        """Put a new roll in; what hung out of the old one is torn off."""
        with self._change:
            if not self._paper.is_blank:
                self._off.append((self._paper.tear_off(), "torn"))
        self._set("_is_paper_low", False)
        self._set("_lines_left", None)

    def open_cover(self) -> None:
        """Open the cover; the head stops."""
        self._set("_is_cover_open", True)

    def close_cover(self) -> None:
        """Close the cover; the head goes on with what is buffered."""
        self._set("_is_cover_open", False)

    def jam_knife(self) -> None:
        """Let the next cut jam."""
        self._set("_will_jam", True)

    def free_knife(self) -> None:
        """Free the knife and switch the printer off and on."""
        with self._change:
            self._forget()
            self._told.clear()
            self._paper.reset()
        self._set("_will_jam", False)
        self._set("_is_knife_jammed", False)

    def silence(self) -> None:
        """Neither take bytes nor answer, with the link up."""
        self._set("_is_silent", True)

    def speak(self) -> None:
        """Be no longer silent."""
        self._set("_is_silent", False)

    def slow(self, line_ms: int) -> None:
        """Take so long for each line."""
        self._set("_line_seconds", line_ms / 1000)

    def unplug(self) -> None:
        """Pull the cable: links break and none is taken."""
        self._set("_is_unplugged", True)

    def plug(self) -> None:
        """Put the cable back."""
        self._set("_is_unplugged", False)

    def receipts(self) -> list[dict[str, str]]:
        """Return every piece cut or torn off: its `file`, `text` and `end`."""
        with self._change:
            return list(self._receipts)

    def wait_for_receipts(self, count: int, seconds: float = 5.0) -> bool:
        """Wait until `count` pieces are out; say whether they are."""
        with self._change:
            return self._change.wait_for(
                lambda: len(self._receipts) >= count, timeout=seconds
            )

    def wait_for_lines(self, count: int, seconds: float = 5.0) -> bool:
        """Wait until `count` lines were printed in all; say whether they were."""
        with self._change:
            return self._change.wait_for(
                lambda: self._lines_printed >= count, timeout=seconds
            )

    @property
    def drawer_kicks(self) -> int:
        """How often a byte stream opened the cash drawer. No receipt should."""
        return self._drawer_kicks

    # What its wires ask.

    @property
    def is_unplugged(self) -> bool:
        """Whether the cable is out."""
        return self._is_unplugged

    def wait_until_heard(self) -> bool:
        """Block while silent or full; False when unplugged or stopped."""
        with self._change:
            self._change.wait_for(
                lambda: (
                    self._stopped
                    or self._is_unplugged
                    or (not self._is_silent and len(self._buffer) < BUFFER_PIECES)
                )
            )
            return not (self._stopped or self._is_unplugged)

    def wait_until(self, *, unplugged: bool) -> bool:
        """Block until the cable is out, or in; False when stopped."""
        with self._change:
            self._change.wait_for(
                lambda: self._stopped or self._is_unplugged is unplugged
            )
            return not self._stopped

    def take(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        """Take bytes into the buffer; what the head answers goes to `answer`."""
        with self._change:
            for piece in self._parser.feed(data):
                self._buffer.append((piece, answer))
            self._change.notify_all()

    def hang_up(self, answer: Callable[[bytes], None]) -> None:
        """Tell this link nothing more."""
        with self._change:
            self._told.pop(answer, None)

    def answer_now(self, request: bytes) -> bytes:
        """Return the answer to a real-time request, empty when there is none."""
        with self._change:
            if self._is_silent:
                return b""
            if request[:2] == b"\x10\x04":
                return bytes([self._status(request[2])])
            if request.startswith(b"\x10\x14\x08"):
                self._forget()
                return BUFFER_CLEARED
            if request.startswith(b"\x10\x14\x01"):
                self._drawer_kicks += 1
            return b""

    def stop(self) -> None:
        """Switch it off."""
        self._set("_stopped", True)

    def wait_until_stopped(self) -> None:
        """Block until someone switches it off."""
        self._head.join()

    @property
    def _is_offline(self) -> bool:
        return self._lines_left == 0 or self._is_cover_open or self._is_knife_jammed

    def _status(self, question: int) -> int:
        is_out = self._lines_left == 0
        match question:
            case 1:
                return 0x12 | 0x08 * self._is_offline
            case 2:
                jam = 0x40 * self._is_knife_jammed
                return 0x12 | 0x04 * self._is_cover_open | 0x20 * is_out | jam
            case 3:
                return 0x12 | 0x08 * self._is_knife_jammed
            case 4:
                low = is_out or self._is_paper_low
                return 0x12 | 0x0C * low | 0x60 * is_out
            case _:
                return 0x12

    def _four_bytes(self) -> bytes:
        is_out = self._lines_left == 0
        return bytes(
            (
                0x10 | 0x08 * self._is_offline | 0x20 * self._is_cover_open,
                0x08 * self._is_knife_jammed,
                0x03 * (is_out or self._is_paper_low) | 0x0C * is_out,
                0x0F,
            )
        )

    def _push(self) -> None:
        """Tell the changed status to whom it is told."""
        if self._is_silent or self._is_unplugged:
            return
        now = self._four_bytes()
        for tell, before in self._told.items():
            if before != now:
                self._told[tell] = now
                tell(now)

    def _forget(self) -> None:
        self._buffer.clear()
        self._parser = Parser()
        self._change.notify_all()

    def _set(self, name: str, value: object) -> None:
        with self._change:
            setattr(self, name, value)
            self._push()
            self._change.notify_all()

    # The head.

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(
                    lambda: self._stopped or self._off or self._can_print()
                )
                if self._stopped:
                    return
                if not self._off:
                    self._print_next()
                off, self._off = self._off, []
            # Drawn outside the lock: status is answered meanwhile.
            for piece, end in off:
                self._keep(piece, end)

    def _can_print(self) -> bool:
        return bool(self._buffer) and not self._is_offline

    def _print_next(self) -> None:
        piece, answer = self._buffer[0]
        if isinstance(piece, Feed):
            if self._line_seconds:
                # The lock is free while the line prints: anything may happen.
                self._change.wait_for(lambda: self._stopped, self._line_seconds)
                if not self._can_print() or self._buffer[0][0] is not piece:
                    return
            self._lines_printed += 1
            if self._lines_left is not None:
                self._lines_left -= 1
                self._push()
        self._buffer.popleft()
        self._change.notify_all()
        match piece:
            case Command("GS V" | "ESC i" | "ESC m"):
                if self._will_jam:
                    self._is_knife_jammed = True
                    self._push()
                elif not self._paper.is_blank:
                    self._off.append((self._paper.tear_off(), "cut"))
            case Command("GS a", arguments):
                self._told.pop(answer, None)
                if self._pushes_status and arguments[0] and not self._is_silent:
                    self._told[answer] = self._four_bytes()
                    answer(self._four_bytes())
            case Command("GS I", arguments):
                if not self._is_silent:
                    answer(b"_" + IDENTITY.get(arguments[0], b"") + b"\0")
            case Command("ESC @"):
                # Epson on `GS a`: it holds until `ESC @`.
                self._told.pop(answer, None)
                self._paper.reset()
            case Command("GS r"):
                if not self._is_silent:
                    answer(bytes([0x03 * self._is_paper_low]))
            case Command("ESC p"):
                self._drawer_kicks += 1
            case _:
                self._paper.take(piece)

    def _keep(self, piece: PieceOfPaper, end: str) -> None:
        path = self._out / f"receipt-{self._number + 1:04d}.png"
        aside = path.with_suffix(".part")
        piece.picture().save(aside, format="PNG", compress_level=3)
        os.replace(aside, path)
        with self._change:
            self._number += 1
            self._receipts.append({"file": str(path), "text": piece.text, "end": end})
            self._change.notify_all()
