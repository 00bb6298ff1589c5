"""Keypads for the hand that cannot use the screen."""
