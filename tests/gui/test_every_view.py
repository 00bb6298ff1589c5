"""Every View, in every language, on this panel: nothing wrong with it, and a picture."""

from __future__ import annotations

import pytest

from kiosk.domain.state import Lane
from kiosk.ui.audit import audit
from kiosk.ui.gallery import views
from kiosk.ui.local import Local
from kiosk.ui.service_gallery import machine

EXAMPLES = [
    pytest.param(language, name, lane, local, id=f"{language}-{name}")
    for language in ("en", "de")
    for name, lane, local in views(language)
]


@pytest.mark.gui
@pytest.mark.parametrize(("language", "name", "lane", "local"), EXAMPLES)
def test_every_view_is_whole_and_can_be_read_heard_and_hit(
    stage, pictures, language: str, name: str, lane: Lane, local: Local
):
    stage.app.machine = machine(name)
    stage.show(lane, local)

    assert audit(stage.app.screen) == []

    folder = pictures / language
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(stage.app.screenshot())
