"""Drivers of card terminals."""
