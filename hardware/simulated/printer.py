"""The simulated receipt printer: a process that prints on PNGs.

    python -m hardware.simulated.printer --port-file F --out DIR [--width-mm 80|58]
        [--port N] [--pty]

It speaks ESC/POS on a loopback TCP port (and on a pty): takes bytes as fast as
a printing head prints them, answers `DLE EOT` at once and `GS r` in order, and
draws what comes between two cuts as `receipt-0001.png`. It can be told to run
out of paper, open its cover, fall silent, print slowly or lose its cable.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hardware.simulated.control import ControlServer, SimulatedBench
from hardware.simulated.frames import PortFile, write_port_file
from hardware.simulated.printer_mechanism import SimulatedPrinter
from hardware.simulated.printer_wires import PtyWire, TcpWire


def main() -> None:
    """Run the printer until it is told to stop or is killed."""
    words = argparse.ArgumentParser(description="A receipt printer that prints PNGs")
    words.add_argument("--port-file", type=Path, required=True)
    words.add_argument("--out", type=Path, required=True)
    words.add_argument("--width-mm", type=int, choices=(80, 58), default=80)
    words.add_argument("--port", type=int, default=0, help="0: any that is free")
    words.add_argument("--pty", action="store_true")
    asked = words.parse_args()
    printer = SimulatedPrinter(asked.out, asked.width_mm)
    bench = SimulatedBench()
    bench.add("printer", printer)
    wire = TcpWire(printer, asked.port)
    terminal = PtyWire(printer).tty if asked.pty else ""
    control = ControlServer(bench)
    write_port_file(asked.port_file, PortFile(wire.port, control.port, terminal))
    print("ready", flush=True)
    printer.wait_until_stopped()
    control.close()


if __name__ == "__main__":
    main()
