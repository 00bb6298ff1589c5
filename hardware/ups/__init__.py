"""Drivers of uninterruptible power supplies."""
