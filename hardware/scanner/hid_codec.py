"""Key events of a scanner -> labels, and what no scanner types. Pure.

Only printable ASCII, Enter and, where the settings say so, GS come through. Everything
else is dropped and counted: a scanner that types Ctrl, Alt, a function key or an arrow
was given a barcode made to type commands, or is no scanner.
"""

from __future__ import annotations

import msgspec

from hardware.input_device import EV_KEY, EV_SYN, SYN_DROPPED, KeyEvent
from hardware.scanner.hid_layouts import ALTGR, PLAIN, SHIFT, KeyMap
from hardware.scanner.label import GS, LONGEST_LABEL

_ENTERS = frozenset({28, 96})
_SHIFTS = frozenset({42, 54})
_ALTGR_CODE = 100
_CTRLS = frozenset({29, 97})
# Alt, the two Supers: never part of a label.
_FORBIDDEN = frozenset({56, 125, 126})
_SPACE = 57
# Ctrl and the key of ] type GS (29) on a US keyboard; scanners are set to it so that
# element strings keep their separators.
_GS_KEY = 27
# Between two keys of one label, as the kernel had them: a lane that was busy reads late.
# Scanners take about 2 ms, over Bluetooth 30.
GAP_SECONDS = 0.3


class Heard(msgspec.Struct, frozen=True):
    """What came of events: whole labels, and how many keys no scanner types."""

    labels: tuple[bytes, ...] = ()
    tampered: int = 0


class HidKeys:
    """What one scanner has typed so far. Bounded: a label without an end is dropped."""

    def __init__(self, keys: KeyMap, accepts_gs: bool) -> None:
        self._keys = keys
        self._accepts_gs = accepts_gs
        self._held: set[int] = set()
        self._text = bytearray()
        self._waiting: str = ""
        self._is_spoilt = False
        self._is_lost = False
        self._last = 0.0

    def hear(self, events: list[KeyEvent]) -> Heard:
        """Take events; return what came of them."""
        labels: list[bytes] = []
        tampered = 0
        for event in events:
            if event.at_seconds - self._last > GAP_SECONDS:
                # Half a label, and then nothing: what follows is another one.
                self._begin()
            self._last = event.at_seconds
            if event.kind == EV_SYN and event.code == SYN_DROPPED:
                # The kernel lost events: nothing is believed until it says so.
                self._is_lost = True
                self._held.clear()
            elif event.kind == EV_SYN and self._is_lost:
                self._is_lost = False
                self._spoil()
            elif event.kind == EV_KEY and not self._is_lost:
                label, is_bad = self._key(event)
                labels += [label] if label else []
                tampered += is_bad
        return Heard(tuple(labels), tampered)

    def _key(self, event: KeyEvent) -> tuple[bytes, bool]:
        code = event.code
        if code in _SHIFTS or code in _CTRLS or code == _ALTGR_CODE:
            (self._held.add if event.value else self._held.discard)(code)
            return b"", False
        if event.value != 1:
            # Released, or held down: a scanner types each key once.
            return b"", False
        if code in _FORBIDDEN:
            self._spoil()
            return b"", True
        if self._held & _CTRLS:
            if self._accepts_gs and code == _GS_KEY and not self._held - _CTRLS:
                self._add(bytes([GS]))
                return b"", False
            self._spoil()
            return b"", True
        if code in _ENTERS:
            return self._end(), False
        return b"", self._type(code)

    def _type(self, code: int) -> bool:
        """Take one key; say whether no scanner types it."""
        level = PLAIN
        if _ALTGR_CODE in self._held:
            level = ALTGR
        elif self._held & _SHIFTS:
            level = SHIFT
        typed = self._keys.characters.get((code, level))
        if self._waiting:
            typed, self._waiting = (self._waiting if code == _SPACE else None), ""
        elif typed is not None and (code, level) in self._keys.dead:
            self._waiting = typed
            return False
        if typed is None:
            self._spoil()
            return True
        self._add(typed.encode())
        return False

    def _add(self, typed: bytes) -> None:
        if len(self._text) >= LONGEST_LABEL:
            self._spoil()
        elif not self._is_spoilt:
            self._text += typed

    def _end(self) -> bytes:
        label = b"" if self._is_spoilt or self._waiting else bytes(self._text)
        self._begin()
        return label

    def _begin(self) -> None:
        self._text.clear()
        self._waiting = ""
        self._is_spoilt = False

    def _spoil(self) -> None:
        """Nothing of this label is believed, up to its Enter."""
        self._text.clear()
        self._waiting = ""
        self._is_spoilt = True
