"""Update bundles as the image build makes them, small, and with what can be wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = b"root of " * 64


def member(name: str, content: bytes) -> bytes:
    """Return one file of a cpio archive in the crc format."""
    raw = name.encode() + b"\0"
    total = sum(content) & 0xFFFFFFFF
    fields = [0, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), total]
    head = b"070702" + b"".join(b"%08X" % field for field in fields)
    named = head + raw + bytes(-(len(head) + len(raw)) % 4)
    return named + content + bytes(-len(content) % 4)


def bundle(
    release: str = "2.0.0",
    *,
    hardware: str = "x86-64-v1",
    key: str = "fleet",
    root: bytes = ROOT,
    changed: bytes = b"",
) -> bytes:
    """Return a bundle. `changed` is a root put in after the signing."""
    content = root + release.encode()
    description = (
        f'software =\n{{\n  version = "{release}";\n'
        f'  hardware-compatibility: [ "{hardware}" ];\n'
        f'  filename = "root.squashfs";\n'
        f'  sha256 = "{hashlib.sha256(content).hexdigest()}";\n}}\n'
    ).encode()
    signature = f"{key}:{hashlib.sha256(description).hexdigest()}".encode()
    parts = [member("sw-description", description)]
    if key:
        parts.append(member("sw-description.sig", signature))
    parts += [member("root.squashfs", changed or content), member("TRAILER!!!", b"")]
    whole = b"".join(parts)
    return whole + bytes(-len(whole) % 512)


def in_inbox(inbox: Path, content: bytes, name: str = "update.swu") -> Path:
    """Put a bundle where the updater finds it."""
    inbox.mkdir(parents=True, exist_ok=True)
    path = inbox / name
    path.write_bytes(content)
    return path
