"""Devices of memory, for demo, bench and tests. Never on a production image."""
