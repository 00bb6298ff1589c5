"""Beeps and speech through the system's sound: a player command, and espeak-ng.

One thread, which starts one sound at a time and never lets one run on. The lane only
leaves a wish: one beep and one text can wait, and the newest replaces what waited. It
will never queue sound: what comes late tells a shopper the wrong thing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from hardware.audio.playing import Playing, SoundTrouble
from hardware.audio.sounds import SILENCE, SOUNDS, wav
from hardware.audio.speech import command, spoken
from hardware.ports import DeviceState, Health

log = logging.getLogger(__name__)

ENGINE = "espeak-ng"
# A beep is 150 ms; a sound system that wakes up first is given time.
BEEP_SECONDS = 3.0
# A screen's worth of words takes less at the slowest speed.
SPEECH_SECONDS = 60.0
RETRY_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class SystemSpeaker:
    """The system's sound, looked for until it is closed.

    A beep does not wait for speech: it interrupts, and the text is said again from its
    beginning unless a newer one came, so that neither is lost.
    """

    def __init__(
        self,
        player: Sequence[str],
        volume: int,
        languages: Sequence[str] = (),
        *,
        engine: str = ENGINE,
        beep_seconds: float = BEEP_SECONDS,
        speech_seconds: float = SPEECH_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._player = player
        self._volume = volume
        self._languages = languages
        self._engine = engine
        self._beep_seconds = beep_seconds
        self._speech_seconds = speech_seconds
        self._retry_seconds = retry_seconds
        self._change = threading.Condition()
        self._beep = ""
        self._text: tuple[str, str] | None = None
        self._is_closing = False
        self._told: DeviceState | None = None
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Find the sound; returns at once."""
        with self._change:
            self._is_closing = False
            self._beep, self._text, self._told = "", None, None
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name="speaker", daemon=True
        )
        self._thread.start()

    def play(self, sound: str) -> None:
        """Play a short sound by name."""
        if sound not in SOUNDS:
            log.warning("there is no sound called %s", sound)
            return
        with self._change:
            self._beep = sound
            self._change.notify_all()

    def say(self, text: str, language: str) -> None:
        """Speak `text`; what was being said stops."""
        with self._change:
            self._text = (text, language)
            self._change.notify_all()

    def hush(self) -> None:
        """Stop speaking at once."""
        with self._change:
            self._text = None
            self._change.notify_all()

    def close(self) -> None:
        """Be silent and let go."""
        with self._change:
            self._is_closing = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # -- the driver's thread -------------------------------------------------

    def _run(self, emit: Callable[[DeviceState], None]) -> None:
        sounds = {name: wav(tones, self._volume) for name, tones in SOUNDS.items()}
        state = self._look()
        while True:
            if state != self._told:
                self._told = state
                if state.health is not Health.READY:
                    log.warning("speaker: %s", state.detail)
                emit(state)
            with self._change:
                # Where it is not well, it is looked for again now and then.
                well = state.health is Health.READY
                self._change.wait_for(
                    lambda: self._is_closing or self._beep or self._text,
                    None if well else self._retry_seconds,
                )
                if self._is_closing:
                    return
                beep, self._beep, text = self._beep, "", self._text
            if beep:
                state = self._play(sounds[beep], state)
            elif text is not None:
                state = self._speak(text)
            else:
                state = self._look()

    def _play(self, sound: bytes, before: DeviceState) -> DeviceState:
        """Play a beep, and return what that says of the sound."""
        try:
            playing = Playing(self._player, sound, self._beep_seconds)
            self._follow(playing, lambda: bool(self._beep))
        except SoundTrouble as trouble:
            return _state(trouble)
        # That a beep was heard says nothing of a voice that is missing.
        is_mute = before.health is Health.DEGRADED
        return before if is_mute else DeviceState(Health.READY)

    def _speak(self, text: tuple[str, str]) -> DeviceState:
        """Speak, and return what that says of the sound."""
        words, language = text
        state = DeviceState(Health.READY)
        is_done = True
        try:
            if given := spoken(words):
                engine = command(self._engine, language, self._volume)
                playing = Playing(self._player, given, self._speech_seconds, engine)
                is_done = self._follow(
                    playing, lambda: bool(self._beep) or self._text is not text
                )
        except SoundTrouble as trouble:
            state = _state(trouble)
        with self._change:
            if is_done and self._text is text:
                self._text = None
        return state

    def _look(self) -> DeviceState:
        """Play silence, and have every language say nothing."""
        try:
            silence = Playing(self._player, wav(SILENCE, 0), self._beep_seconds)
            self._follow(silence)
            for language in self._languages:
                engine = command(self._engine, language, 0)
                self._follow(Playing(self._player, b"a", self._beep_seconds, engine))
        except SoundTrouble as trouble:
            return _state(trouble)
        return DeviceState(Health.READY)

    def _follow(
        self, playing: Playing, is_outdated: Callable[[], bool] = lambda: False
    ) -> bool:
        """See a sound to its end, or to where it is outdated; say whether it ended."""
        while not playing.is_over():
            with self._change:
                if self._change.wait_for(
                    lambda: self._is_closing or is_outdated(), _LOOK_SECONDS
                ):
                    playing.stop()
                    return False
        return True


def _state(trouble: SoundTrouble) -> DeviceState:
    if trouble.is_engine:
        return DeviceState(Health.DEGRADED, f"beeps only; speech: {trouble}")
    return DeviceState(Health.ABSENT, f"no sound: {trouble}")
