"""Why a bundle was refused, or a release given up: one reason each, in plain words."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """One reason. The value is what status.json says; `words` are for a person."""

    # -- refused before or by SWUpdate --
    NOT_A_BUNDLE = "not_a_bundle"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    TAMPERED = "tampered"
    UNSIGNED = "unsigned"
    WRONG_KEY = "wrong_key"
    WRONG_HARDWARE = "wrong_hardware"
    OLDER = "older"
    RUNNING_ALREADY = "running_already"
    FAILED_BEFORE = "failed_before"
    NO_SPACE = "no_space"
    WRITE_FAILED = "write_failed"
    NO_SLOT = "no_slot"
    NO_BOOT_LOADER = "no_boot_loader"
    ANOTHER_WAITS = "another_waits"
    LOST = "lost"
    # -- given up after its start --
    NOT_HEALTHY = "not_healthy"
    NEVER_FINISHED = "never_finished"
    FAILED_STARTS = "failed_starts"
    ROOT_UNREADABLE = "root_unreadable"

    @property
    def words(self) -> str:
        """What happened, and what to do."""
        return _WORDS[self]


_WORDS = {
    Reason.NOT_A_BUNDLE: "This file is no update. Choose a file that ends in .swu.",
    Reason.UNREADABLE: "The update cannot be read. Try another stick, or load it again.",
    Reason.TRUNCATED: "The update is not complete. Load it again.",
    Reason.TAMPERED: "The update was changed after it was made. Load it again; if that"
    " does not help, tell the owner of the fleet.",
    Reason.UNSIGNED: "The update is not signed. Only signed updates are taken.",
    Reason.WRONG_KEY: "The update is signed with a key that this machine does not"
    " trust. Ask the owner of the fleet for the right one.",
    Reason.WRONG_HARDWARE: "The update is for other hardware.",
    Reason.OLDER: "The update is older than what runs. Going back needs a signed"
    " permission from the owner of the fleet.",
    Reason.RUNNING_ALREADY: "This release runs already. Nothing to do.",
    Reason.FAILED_BEFORE: "This release was tried and did not work here. Take a newer"
    " one.",
    Reason.NO_SPACE: "There is no room for the update. Ask a technician to look at the"
    " disk.",
    Reason.WRITE_FAILED: "The update could not be written. Try again; if that does not"
    " help, the disk may be failing: ask a technician.",
    Reason.NO_SLOT: "The machine cannot tell which of its two systems runs, so nothing"
    " is overwritten. Ask a technician.",
    Reason.NO_BOOT_LOADER: "The boot loader's state cannot be read, so nothing is"
    " written. Ask a technician.",
    Reason.ANOTHER_WAITS: "Another update waits for its restart. Restart first.",
    Reason.LOST: "The update was written, but the boot loader knows nothing of it."
    " Load it again.",
    Reason.NOT_HEALTHY: "The new release did not pass its check.",
    Reason.NEVER_FINISHED: "The new release was stopped before its check was over: it"
    " hung, or the power went.",
    Reason.FAILED_STARTS: "The release did not start three times in a row.",
    Reason.ROOT_UNREADABLE: "The root of the release before could not be read. The next"
    " update writes it anew; if this happens again, the disk is failing: ask a"
    " technician.",
}

# What SWUpdate 2024.12 to 2026.05 logs, most telling first: a bad signature is the
# reason even where its sequel is an unreadable image.
_LOGGED: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.NO_SPACE, ("no space left on device", "enospc")),
    (
        Reason.WRONG_KEY,
        (
            "certificate verify error",
            "failed to verify signer name",
            "does not match expected",
            "signer certificate not found",
            "unsuitable certificate purpose",
        ),
    ),
    (
        Reason.UNSIGNED,
        ("signature cannot be extracted", "instead of sw-description.sig"),
    ),
    (
        Reason.TAMPERED,
        ("cannot be parsed as der-encoded", "cms_signerinfo_verify_content"),
    ),
    (Reason.WRONG_KEY, ("signature verification failed",)),
    (Reason.WRONG_HARDWARE, ("not compatible with hardware",)),
    (Reason.OLDER, ("no downgrading allowed",)),
    (Reason.RUNNING_ALREADY, ("no reinstalling",)),
    (Reason.TAMPERED, ("hash mismatch", "checksum wrong", "cpio header corrupted")),
    (Reason.TRUNCATED, ("failure in stream", "cpio header", "missing...aborting")),
)


def reason_of(log: str) -> Reason:
    """Return the one reason in what SWUpdate logged before it gave up."""
    low = log.lower()
    for reason, signs in _LOGGED:
        if any(sign in low for sign in signs):
            return reason
    return Reason.WRITE_FAILED
