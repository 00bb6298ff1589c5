"""What a speaker promises: sound in time, the newest first, and never a stuck lane.

The system's driver plays through a program that writes down what it was given; the
voice is the real espeak-ng.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from hardware.audio.sounds import SOUNDS
from hardware.audio.system_speaker import SystemSpeaker
from hardware.ports import DeviceState, Health
from hardware.simulated.speaker import SimulatedSpeaker

SECONDS = 15.0
PLAYER = Path(__file__).parents[1] / "support" / "recording_player.py"
needs_voice = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"
)


class Desk:
    """The driver, and what came out of the loudspeaker."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.folder = folder
        self.told: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
        settings: dict[str, object] = {"retry_seconds": 0.05} | more
        self.speaker = SystemSpeaker(
            (sys.executable, str(PLAYER), str(folder)),
            50,
            **settings,  # type: ignore[arg-type]  # a test's own words
        )
        self._heard = 0

    def mode(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    def open(self) -> None:
        self.speaker.open(self.told.put)

    def state(self, health: Health) -> DeviceState:
        while True:
            told = self.told.get(timeout=SECONDS)
            if told.health is health:
                return told

    def sounds(self, count: int) -> list[float]:
        """Wait for so many sounds that are no silence; return their lengths."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            heard = [lasting for lasting in self._lengths() if lasting]
            if len(heard) >= count:
                return heard
            Event().wait(0.02)
        raise AssertionError(f"{self._lengths()} is not {count} sounds")

    def started(self) -> list[int]:
        return [int(path.stem) for path in self.folder.glob("*.started")]

    def _lengths(self) -> list[float]:
        return [length(path) for path in sorted(self.folder.glob("*.wav"))]


def length(path: Path) -> float:
    """Return how many seconds of a recording are no silence, 0 where none is."""
    with wave.open(str(path)) as sound:
        frames = sound.readframes(sound.getnframes())
        return len(frames) / 2 / sound.getframerate() if any(frames) else 0.0


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.speaker.close()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.open()
    desk.state(Health.READY)
    return desk


@pytest.mark.parametrize("sound", SOUNDS)
def test_a_beep_is_heard_and_over_in_150_milliseconds(ready, sound):
    ready.speaker.play(sound)
    (seconds,) = ready.sounds(1)
    assert 0.1 < seconds < 0.15


@needs_voice
def test_words_are_spoken(ready):
    ready.speaker.say("Milk, one euro nine", "en")
    (seconds,) = ready.sounds(1)
    assert seconds > 0.5


@needs_voice
def test_a_beep_comes_before_the_words_that_follow_it(ready):
    ready.speaker.play("scanned")
    ready.speaker.say("Milk, one euro nine", "en")
    beep, words = ready.sounds(2)
    assert beep < 0.15 < words


@needs_voice
def test_new_words_stop_the_old_ones(ready):
    ready.mode("hangs")
    ready.speaker.say("These are the words of the screen before", "en")
    ready.sounds(1)
    ready.mode("")
    ready.speaker.say("Pay", "en")
    first, second = ready.sounds(2)
    assert second < first


@needs_voice
def test_words_that_a_beep_broke_off_are_said_again(ready):
    ready.mode("hangs")
    ready.speaker.say("Somebody is coming", "en")
    ready.sounds(1)
    ready.mode("")
    ready.speaker.play("attention")
    words, beep, again = ready.sounds(3)
    assert words == again
    assert beep < 0.15


@needs_voice
def test_hush_ends_speech_at_once_and_leaves_nothing_running(ready):
    ready.mode("hangs")
    ready.speaker.say("These are very many words", "en")
    ready.sounds(1)
    ready.speaker.hush()
    ready.mode("")
    ready.speaker.play("scanned")
    assert ready.sounds(2)[1] < 0.15
    ready.speaker.close()
    assert not [pid for pid in ready.started() if is_running(pid)]


def test_of_many_beeps_at_once_the_newest_is_heard_and_few_before_it(ready):
    for _ in range(200):
        ready.speaker.play("scanned")
    ready.speaker.play("paid")
    ready.sounds(1)
    ready.speaker.close()
    assert len(ready.sounds(1)) <= 3


def test_asking_never_waits_for_a_sound_card_that_hangs(ready):
    ready.mode("hangs")
    began = time.monotonic()
    for _ in range(50):
        ready.speaker.play("scanned")
        ready.speaker.say("Milk", "en")
        ready.speaker.hush()
    assert time.monotonic() - began < 1.0


def test_a_player_that_never_ends_is_ended_and_told(tmp_path):
    desk = Desk(tmp_path, beep_seconds=1.0, retry_seconds=60)
    desk.open()
    desk.state(Health.READY)
    desk.mode("hangs")
    desk.speaker.play("scanned")
    assert "did not end in 1 seconds" in desk.state(Health.ABSENT).detail
    assert not [pid for pid in desk.started() if is_running(pid)]
    desk.speaker.close()


def test_closing_ends_what_hangs(ready):
    ready.mode("hangs")
    ready.speaker.play("paid")
    ready.sounds(1)
    ready.speaker.close()
    assert not [pid for pid in ready.started() if is_running(pid)]


def test_a_lane_without_a_sound_card_is_told_and_finds_one_later(desk):
    desk.mode("silent")
    desk.open()
    assert "cannot find card" in desk.state(Health.ABSENT).detail
    desk.speaker.play("scanned")
    desk.mode("")
    desk.state(Health.READY)
    desk.speaker.play("paid")
    desk.sounds(1)


def test_a_sound_card_that_is_pulled_out_is_missed_at_the_next_beep(ready):
    ready.mode("silent")
    ready.speaker.play("scanned")
    assert ready.state(Health.ABSENT)
    ready.mode("")
    ready.state(Health.READY)


def test_a_machine_without_the_player_is_told():
    told: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    speaker = SystemSpeaker(("no-such-player",), 50)
    speaker.open(told.put)
    assert "no-such-player: No such file" in told.get(timeout=SECONDS).detail
    speaker.close()


def test_without_a_voice_the_beeps_stay(tmp_path):
    desk = Desk(tmp_path, engine="no-such-voice", languages=("en",), retry_seconds=60)
    desk.open()
    assert "beeps only" in desk.state(Health.DEGRADED).detail
    desk.speaker.play("scanned")
    assert len(desk.sounds(1)) == 1
    desk.speaker.close()
    assert desk.told.empty()


@needs_voice
@pytest.mark.parametrize("language", ["xx", "", "-w/tmp/x", "../de", "d" * 5000])
def test_a_language_that_nobody_speaks_is_told(ready, language):
    ready.speaker.say("Milk", language)
    assert "speech" in ready.state(Health.DEGRADED).detail


@needs_voice
@pytest.mark.parametrize(
    "text", ["", "\0", "-w out.wav", "[[h@l'oU]]", "\ud800", "<x>"]
)
def test_no_text_hurts_the_speaker(ready, text):
    ready.speaker.say(text, "en")
    ready.speaker.play("scanned")
    ready.sounds(1)
    ready.speaker.close()
    assert ready.told.empty()


def test_an_unknown_sound_is_no_sound_and_no_trouble(ready):
    ready.speaker.play("fanfare")
    ready.speaker.play("scanned")
    assert len(ready.sounds(1)) == 1


def test_a_speaker_never_opened_can_be_closed():
    SystemSpeaker(("no-such-player",), 50).close()


def test_what_a_simulated_speaker_played_can_be_asked(tmp_path):
    speaker = SimulatedSpeaker()
    speaker.open(lambda state: None)
    speaker.play("scanned")
    speaker.say("Milch", "de")
    speaker.unplug()
    speaker.play("refused")
    speaker.plug()
    assert speaker.heard() == ["scanned", "de: Milch"]
    assert speaker.wait_for("scanned")
    speaker.close()
