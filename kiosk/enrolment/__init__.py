"""How a blank kiosk becomes a lane: it asks, an admin approves, it is told which.

A process of its own (`kiosk enrol`), gone once the kiosk is a lane.
"""
