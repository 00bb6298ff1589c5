"""The simulated printer's wires: loopback TCP and a pseudo terminal."""

from __future__ import annotations

import os
import select
import socket
import threading
import tty
from collections.abc import Callable
from functools import partial

from hardware.simulated.control import LOOPBACK
from hardware.simulated.escpos_parse import take_real_time
from hardware.simulated.printer_mechanism import SimulatedPrinter


class TcpWire:
    """Takes connections for a printer, several at a time, as network printers do."""

    def __init__(self, printer: SimulatedPrinter, port: int = 0) -> None:
        self._printer = printer
        self._listener = socket.create_server((LOOPBACK, port))
        self._links: set[socket.socket] = set()
        self._start(self._accept)
        self._start(self._pull)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Stop listening and drop every link."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._drop()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            if self._printer.is_unplugged:
                link.close()
                continue
            self._links.add(link)
            self._start(partial(self._serve, link))

    def _pull(self) -> None:
        while self._printer.wait_until(unplugged=True):
            self._drop()
            if not self._printer.wait_until(unplugged=False):
                return

    def _drop(self) -> None:
        for link in list(self._links):
            try:
                link.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _serve(self, link: socket.socket) -> None:
        def answer(data: bytes) -> None:
            try:
                link.sendall(data)
            except OSError:
                pass

        with link:
            _converse(self._printer, lambda: link.recv(256), answer)
        self._printer.hang_up(answer)
        self._links.discard(link)

    def _start(self, run: Callable[[], None]) -> None:
        threading.Thread(target=run, name="printer-wire", daemon=True).start()


class PtyWire:
    """A pseudo terminal that stands for a serial printer."""

    def __init__(self, printer: SimulatedPrinter) -> None:
        self._printer = printer
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def tty(self) -> str:
        """The path a driver opens."""
        return os.ttyname(self._theirs)

    def _serve(self) -> None:
        # A serial cable that is out loses bytes, and neither end is told.
        while self._printer.wait_until(unplugged=False):
            _converse(self._printer, lambda: os.read(self._ours, 256), self._answer)
            self._printer.hang_up(self._answer)
            while self._printer.is_unplugged:
                lost, _, _ = select.select([self._ours], [], [], 0.02)
                if lost and self._printer.is_unplugged:
                    os.read(self._ours, 4096)

    def _answer(self, data: bytes) -> None:
        os.write(self._ours, data)


def _converse(
    printer: SimulatedPrinter,
    read: Callable[[], bytes],
    answer: Callable[[bytes], None],
) -> None:
    """Serve one wire until it ends."""
    beginning = b""
    while True:
        try:
            received = read()
        except OSError:
            return
        if not received:
            return
        requests, data, beginning = take_real_time(beginning + received)
        for request in requests:
            answer(printer.answer_now(request))
        if data:
            printer.take(data, answer)
        if not printer.wait_until_heard():
            return
