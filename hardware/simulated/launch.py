"""Starts simulators that are processes of their own, and waits until they are ready."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class LaunchError(OSError):
    """A simulator's process did not start."""


def start_printer(
    port_file: Path, out: Path, extra: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start the simulated printer; its receipts go to `out`."""
    words = ["--port-file", str(port_file), "--out", str(out), *extra]
    return _start("hardware.simulated.printer", words)


def start_terminal(
    port_file: Path, store: Path, extra: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start the simulated card terminal on its store, old or new."""
    words = ["--port-file", str(port_file), "--store", str(store), *extra]
    return _start("hardware.simulated.terminal_process", words)


def _start(module: str, words: Sequence[str]) -> subprocess.Popen[str]:
    # A session of its own: what ends the lane's process group does not end it.
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as out:
        if out.readline().strip() != "ready":
            raise LaunchError(f"{module} ended with {process.wait()}")
    return process
