"""What a kiosk shows while it is no lane yet: its claim code, and what is wrong."""

from __future__ import annotations

from kiosk.domain.state import Closed
from kiosk.ui.scene import Scene
from kiosk.ui.view import Layout, View
from kiosk.ui.words import plain


def enrolling(scene: Scene, mode: Closed) -> View:
    """Return the View of a blank kiosk. The first line of `detail` is the code, the
    others are the trouble, as enrolment found it."""
    t = scene.t
    code, _, trouble = mode.detail.partition("\n")
    text = t("It looks for its back office. This can take a minute.")
    if code:
        text = t("Approve it in the back office: type this code there.")
    # One reason is enough to act on; the log has them all.
    first = plain(trouble.partition("\n")[0])
    return scene.view(
        "enrol",
        Layout.MESSAGE,
        t("This checkout is new"),
        big=plain(code),
        text=text,
        detail=t("For staff: {cause}", cause=first) if first else "",
        icon="info" if code else "clock",
        footer=scene.footer(staff=False),
    )
