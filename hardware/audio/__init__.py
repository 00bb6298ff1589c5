"""Beeps and speech."""
