"""Drivers of lane lights."""
