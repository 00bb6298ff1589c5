"""What a build leaves with times of its own is made the same, on a small tree."""

from __future__ import annotations

from imagebuild import final, root
from imagebuild.stage import Stage, code


def test_passwords_were_all_set_on_the_builds_fixed_day(tmp_path):
    (tmp_path / "etc").mkdir()
    shadow = tmp_path / "etc/shadow"
    shadow.write_text("root:!*:20783:0:99999:7:::\nstillopen:!:20784::::::\n")
    final.one_day(tmp_path, 1764115200)
    assert shadow.read_text() == (
        "root:!*:20418:0:99999:7:::\nstillopen:!:20418::::::\n"
    )


def test_a_stages_own_code_is_among_its_inputs():
    (file,) = code(final)
    assert file.name == "final.py"
    with_code = Stage("one", lambda folder: None, [file])
    assert with_code.key != Stage("one", lambda folder: None, []).key


def test_where_a_package_was_built_is_in_neither_its_notes_nor_their_list(tmp_path):
    notes = tmp_path / "stillopen-1.dist-info"
    notes.mkdir()
    (notes / "direct_url.json").write_text('{"url": "file:///somebodys/home"}')
    (notes / "RECORD").write_text(
        "kiosk/lane.py,sha256=x,1\nstillopen-1.dist-info/direct_url.json,sha256=y,2\n"
    )
    root.forget_origin(tmp_path)
    assert [path.name for path in notes.iterdir()] == ["RECORD"]
    assert (notes / "RECORD").read_text() == "kiosk/lane.py,sha256=x,1\n"
