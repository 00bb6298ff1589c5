"""The image's figures: how they are kept, judged and shown; nothing is booted."""

from __future__ import annotations

from pathlib import Path

import pytest
from imagebuild import figures, report
from imagebuild.stage import BuildError, Stage
from imagebuild.table import Row, Verdict, amount, grid, markdown, paired_medians


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("imagebuild.figures.FOLDER", tmp_path / "figures")
    return tmp_path / "figures"


def test_a_figure_is_kept_with_when_and_by_which_command(store):
    figures.record("fall-back", 201.25, "s", ["one line"])
    (kept,) = figures.recorded().values()
    assert (kept.name, kept.value, kept.unit) == ("fall-back", 201.25, "s")
    assert kept.detail == ["one line"]
    assert kept.when.endswith("+00:00")
    assert "pytest" in kept.command
    assert not kept.command.startswith("/")


def test_the_newest_figure_takes_the_place_of_the_one_before(store):
    figures.record("update", 300, "s")
    figures.record("update", 200, "s")
    assert figures.recorded()["update"].value == 200
    assert [file.name for file in store.iterdir()] == ["update.json"]


def test_a_name_that_would_leave_the_folder_is_refused(store):
    with pytest.raises(ValueError, match="no name"):
        figures.record("../update", 1, "s")


def test_a_file_that_is_no_figure_is_named(store):
    store.mkdir()
    (store / "update.json").write_text('{"name": "update"}')
    with pytest.raises(BuildError, match=r"update\.json"):
        figures.recorded()


def test_before_anything_was_measured_there_is_nothing(store):
    assert figures.recorded() == {}


@pytest.mark.parametrize(
    ("made", "pool", "origin"),
    [
        (12, (0, 480), "from-nothing"),
        (12, (480, 480), "from-packages"),
        (12, (470, 480), "from-stages"),
        (4, (480, 480), "from-stages"),
    ],
)
def test_a_build_is_called_by_what_it_began_with(made, pool, origin):
    assert figures.origin(made, 12, pool) == origin


def test_a_build_records_what_it_made_and_nothing_of_the_rest(store):
    made, kept = (Stage(name, lambda _: None, []) for name in ("root", "base"))
    made.seconds = 158.0
    figures.built([kept, made], (9, 9), 200.0)
    assert sorted(figures.recorded()) == ["image-from-stages", "stage-root"]
    assert figures.recorded()["image-from-stages"].detail == ["root 158 s"]


def test_a_build_that_found_everything_made_records_nothing(store):
    figures.built([Stage("root", lambda _: None, [])], (9, 9), 2.0)
    assert figures.recorded() == {}


@pytest.mark.parametrize(
    ("value", "limit", "least", "verdict"),
    [
        (1.5, 1.5, None, Verdict.MET),
        (1.51, 1.5, None, Verdict.MISSED),
        (999, None, 1000, Verdict.MISSED),
        (1000, None, 1000, Verdict.MET),
        (None, 1.5, None, Verdict.NOT_MEASURED),
        (None, None, None, Verdict.NOT_MEASURED),
        (7, None, None, Verdict.SHOWN),
    ],
)
def test_a_figure_is_met_missed_or_not_measured(value, limit, least, verdict):
    assert Row("x", "", "make x", value, limit, least).verdict is verdict


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (316, "s", "5 min 16 s"),
        (720, "s", "12 min"),
        (98.4, "s", "98 s"),
        (3.24, "s", "3.2 s"),
        (300, "MiB", "300 MiB"),
        (287.2, "MiB", "287.2 MiB"),
        (1.234, "", "1.23"),
        (1.5, "", "1.5"),
        (1000, "", "1000"),
    ],
)
def test_amounts_are_told_in_words(value, unit, words):
    assert amount(value, unit) == words


def test_the_table_says_what_measures_a_figure_that_is_missing():
    lines = markdown(
        [
            Row("bundle", "MiB", "make image", 287.2, 300),
            Row("fall-back", "s", "make test-image"),
        ]
    ).splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == ["bundle", "287.2 MiB", "at most 300 MiB", "met", "`make image`"]
    assert cells[3][1:4] == ["-", "-", "not measured"]


def test_a_line_in_a_cell_does_not_end_it():
    assert r"a\|b" in grid(("x",), [("a|b",)])


def test_starts_are_compared_within_their_pair():
    # The machine was busy for the second pair: both of its starts took twice as long.
    welcome, multi_user, ratio = paired_medians([(110, 100), (220, 200), (121, 110)])
    assert (welcome, multi_user) == (121, 110)
    assert ratio == pytest.approx(1.1)


def test_what_replays_told_is_found_and_judged(tmp_path):
    (tmp_path / "powercuts").mkdir()
    (tmp_path / "powercuts" / "cuts.json").write_text(
        '{"cuts": 1000, "sales_at_the_end": 2, "findings": [{"cut": "0:7"}], "more": 7}'
    )
    (row,) = [r for r in report._cut({}, report.cuts_told(tmp_path)) if r.least == 1000]
    assert (row.shown, row.verdict) == ("999 of 1000", Verdict.MISSED)


def test_a_replay_that_tells_no_number_is_named(tmp_path):
    (tmp_path / "powercuts").mkdir()
    (tmp_path / "powercuts" / "cuts.json").write_text('{"cuts": 1000}')
    with pytest.raises(BuildError, match=r"cuts\.json"):
        report.cuts_told(tmp_path)


def test_moments_at_which_the_plug_was_pulled_are_counted(store):
    figures.record("cut-sale", 1, "cuts")
    figures.record("cut-idle", 1, "cuts")
    row = next(iter(report._cut(figures.recorded(), [])))
    assert row.shown == "2 of 6 (idle, sale)"
    assert row.verdict is Verdict.MISSED


def test_the_page_shows_what_figures_have_to_tell(store):
    figures.record("power-ratio", 1.2, "", ["welcome 98.0 s, multi-user 80.0 s"])
    figures.record("stage-root", 158, "s")
    known = figures.recorded()
    text = report.page([Row("ratio", "", "make x", 1.2, 1.5)], known, "| unit |\n")
    assert "    welcome 98.0 s, multi-user 80.0 s\n" in text
    assert "| root  | 158 s |" in text
    assert text.endswith("| unit |\n")
