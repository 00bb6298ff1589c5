"""The lane program, and the back office it syncs with."""
