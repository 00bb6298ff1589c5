"""One connection of the machine's card terminal cable: stdin and stdout to a local port.

    python3 cable.py PORT

QEMU starts one for each connection that its guest makes. Changes no byte.
"""

from __future__ import annotations

import os
import select
import socket
import sys


def main() -> None:
    """Carry bytes until either end hangs up."""
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as link:
        while True:
            ready, _, _ = select.select([0, link.fileno()], [], [])
            if 0 in ready:
                if not (out := os.read(0, 4096)):
                    return
                link.sendall(out)
            if link.fileno() in ready:
                if not (back := link.recv(4096)):
                    return
                os.write(1, back)


if __name__ == "__main__":
    main()
