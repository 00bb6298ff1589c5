"""`python -m kiosk` is the `kiosk` program."""

from kiosk.cli import main

main()
