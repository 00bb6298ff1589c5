"""The caretaker: the few acts that need root, a closed list, asked for over a socket."""
