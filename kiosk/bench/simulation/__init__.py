"""Lane days in virtual time: the real lane, journal, sync and intake, from one seed."""
