"""Child processes that make a sound: started, watched, and killed by their own pid.

Nothing here blocks: input comes from memory files, and whoever holds a `Playing` asks
it now and then. Knows nothing of what is played.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO

# What is killed is gone in milliseconds, unless the kernel itself holds it.
_GONE_SECONDS = 1.0
_LONGEST_TROUBLE = 200


class SoundTrouble(OSError):
    """A child did not do its work. `is_engine`: the speech engine, not the player."""

    def __init__(self, words: str, is_engine: bool = False) -> None:
        super().__init__(words)
        self.is_engine = is_engine


class Playing:
    """A sound under way: a player, or an engine that speaks into a player."""

    def __init__(
        self,
        player: Sequence[str],
        given: bytes,
        seconds: float,
        engine: Sequence[str] = (),
    ) -> None:
        """Start it; raises `SoundTrouble`. It may take so many seconds."""
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._engine: subprocess.Popen[bytes] | None = None
        if not engine:
            self._player = _start(player, given)
            return
        self._engine = _start(engine, given, is_engine=True)
        try:
            self._player = _start(player, self._engine.stdout)
        except SoundTrouble:
            _kill(self._engine)
            raise
        finally:
            # The player has it now: an engine without a player must not wait.
            if self._engine.stdout is not None:
                self._engine.stdout.close()

    def is_over(self) -> bool:
        """Say whether it was played to its end. Raises `SoundTrouble` when it failed.

        After either, nothing of it is left running.
        """
        children = [one for one in (self._engine, self._player) if one is not None]
        if any(one.poll() is None for one in children):
            if time.monotonic() < self._until:
                return False
            self.stop()
            raise SoundTrouble(f"the player did not end in {self._seconds:g} seconds")
        engine, said = self._engine, [_words(one) for one in children]
        # An engine whose player left dies of the broken pipe: the player's fault.
        if engine and engine.returncode not in (0, -signal.SIGPIPE):
            raise SoundTrouble(said[0] or f"status {engine.returncode}", True)
        if self._player.returncode:
            raise SoundTrouble(said[-1] or f"status {self._player.returncode}")
        return True

    def stop(self) -> None:
        """End it at once. Raises `SoundTrouble` where the kernel does not let go."""
        for child in (self._engine, self._player):
            if child is not None:
                _kill(child)


def _start(
    command: Sequence[str], given: bytes | IO[bytes] | None, is_engine: bool = False
) -> subprocess.Popen[bytes]:
    # A memory file, not a pipe: a child that does not read cannot make us wait.
    memory = os.memfd_create("sound")
    try:
        if isinstance(given, bytes):
            os.write(memory, given)
            os.lseek(memory, 0, os.SEEK_SET)
        return subprocess.Popen(
            command,
            stdin=memory if isinstance(given, bytes) else given,
            stdout=subprocess.PIPE if is_engine else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise SoundTrouble(f"{command[0]}: {error.strerror}", is_engine) from error
    finally:
        os.close(memory)


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    try:
        child.wait(_GONE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise SoundTrouble(f"process {child.pid} cannot be ended") from error
    finally:
        if child.stderr is not None:
            child.stderr.close()


def _words(child: subprocess.Popen[bytes]) -> str:
    """Return what a child that ended complained of, on one line."""
    if child.stderr is None or child.stderr.closed:
        return ""
    with child.stderr as pipe:
        # A grandchild may hold the pipe open: what is there now is enough.
        os.set_blocking(pipe.fileno(), False)
        try:
            said = os.read(pipe.fileno(), _LONGEST_TROUBLE)
        except BlockingIOError:
            return ""
    return " ".join(said.decode("utf-8", "replace").split())
