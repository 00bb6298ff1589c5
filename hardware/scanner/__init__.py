"""Drivers that read labels: bytes on a wire, or pictures from a camera."""
