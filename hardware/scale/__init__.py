"""Drivers of scales."""
