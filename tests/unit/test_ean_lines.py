"""Our own reader of EAN and UPC: what it reads that edges no longer tell."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.scanner.decode import decode
from hardware.scanner.ean_lines import MARGIN, STRIP_COLUMNS, read_strip
from hardware.scanner.ean_symbol import BLURS, LAYOUTS, segments
from hardware.scanner.spots import (
    is_blank,
    located,
    located_by_edges,
    straightened,
    upright,
)
from hardware.simulated.camera import draw_label, draw_pack

MILK = "4006381333931"


def strip_of(frame):
    spot = (located(frame) + located_by_edges(frame))[0]
    return straightened(frame, spot, STRIP_COLUMNS, MARGIN)


def blurred(text, symbology="ean13", deviation=0.0, turned=0.0):
    """Return a frame with a label of three pixels a module, blurred by modules."""
    frame = draw_pack([draw_label(text, symbology)], turned_degrees=turned)
    return cv2.GaussianBlur(frame, (0, 0), 3 * deviation) if deviation else frame


@pytest.mark.parametrize("deviation", [0.0, 0.4, 0.6, 0.8])
@pytest.mark.parametrize(
    ("text", "symbology", "kind", "said"),
    [
        (MILK, "ean13", "ean13", MILK),
        ("012345678905", "upca", "ean13", "0012345678905"),
        ("96385074", "ean8", "ean8", "96385074"),
        ("01264904", "upce", "upce", "0012000006494"),
    ],
)
def test_a_label_is_read_however_blurred(text, symbology, kind, said, deviation):
    found = read_strip(strip_of(blurred(text, symbology, deviation)), kind)
    assert found is not None
    assert found.text == said
    assert found.lead > 0.3
    assert found.agreeing == 1.0


def test_a_label_too_blurred_for_the_other_readers_is_accepted():
    assert [code.text for code in decode(blurred(MILK, deviation=1.0))] == [MILK]


def test_a_label_upside_down_is_read():
    found = read_strip(strip_of(blurred(MILK))[::-1, ::-1], "ean13")
    assert found is not None
    assert found.text == MILK


def test_a_label_that_is_narrower_on_one_side_is_read():
    strip = strip_of(blurred(MILK, deviation=0.5))
    x = np.linspace(-1, 1, STRIP_COLUMNS)
    # The far side of a tilted pack: its modules are an eighth narrower.
    bent = (x + 0.03 * (x * x - 1) + 1) / 2 * (STRIP_COLUMNS - 1)
    rows = np.arange(strip.shape[0], dtype=np.float32)
    seen = cv2.remap(
        strip, *np.meshgrid(bent.astype(np.float32), rows), cv2.INTER_LINEAR
    )
    found = read_strip(np.asarray(seen, dtype=np.uint8), "ean13")
    assert found is not None
    assert found.text == MILK


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize(
    "strip",
    [
        np.full((40, STRIP_COLUMNS), 120, np.uint8),
        np.random.default_rng(5).integers(0, 256, (40, STRIP_COLUMNS), np.uint8),
        np.tile(np.array([0, 0, 255, 255], np.uint8), (40, STRIP_COLUMNS // 4)),
        np.zeros((1, STRIP_COLUMNS), np.uint8),
    ],
    ids=["grey", "noise", "stripes", "one dark line"],
)
def test_what_is_no_label_gives_no_number_far_ahead(kind, strip):
    found = read_strip(strip, kind)
    assert found is None or found.lead < 0.15 or found.unexplained > 0.1


def test_a_number_with_a_wrong_check_digit_is_never_told():
    rng = np.random.default_rng(11)
    strip = strip_of(blurred(MILK, deviation=0.9)).astype(np.float64)
    for _ in range(5):
        noisy = np.clip(strip + rng.normal(0, 60, strip.shape), 0, 255)
        found = read_strip(noisy.astype(np.uint8), "ean13")
        if found is not None:
            weighed = sum(int(d) * (1, 3)[n % 2] for n, d in enumerate(found.text))
            assert weighed % 10 == 0


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 120),
    st.integers(0, 2**32 - 1),
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from([1, 2, 3, 4, 6, 10]),
)
def test_no_strip_makes_it_fail_or_believe_noise(rows, seed, kind, wide):
    rng = np.random.default_rng(seed)
    columns = -(-STRIP_COLUMNS // wide)
    bars = rng.choice([0, 255], columns).astype(np.uint8).repeat(wide)[:STRIP_COLUMNS]
    strip = np.tile(bars, (rows, 1))
    found = read_strip(strip, kind)
    assert found is None or found.lead < 0.15 or found.unexplained > 0.1


@pytest.mark.parametrize("blur", BLURS)
@pytest.mark.parametrize("kind", LAYOUTS)
def test_templates_join_without_gap_and_all_weigh_the_same(kind, blur):
    parts = segments(kind, blur)
    for one, following in itertools.pairwise(parts):
        end = one.middle + one.width / 2
        assert end == pytest.approx(following.middle - following.width / 2)
    for part in parts:
        assert np.allclose(np.linalg.norm(part.templates, axis=0), 1, atol=1e-4)


# -- spots -------------------------------------------------------------------


@pytest.mark.parametrize("turned", [0, 10, 45, 80, 90, 170])
def test_a_spot_is_found_and_its_bars_stood_upright_at_any_angle(turned):
    frame = blurred(MILK, turned=turned)
    spots = located_by_edges(frame)
    assert spots
    angle, (x, y), (width, height) = upright(frame, spots[0])
    assert (angle + turned + 90) % 180 - 90 == pytest.approx(0, abs=2)
    assert (x, y) == pytest.approx((640, 360), abs=40)
    assert width > height


def test_an_empty_place_is_blank_and_a_faint_label_is_not():
    rng = np.random.default_rng(2)
    empty = 190 + rng.normal(0, 3, (720, 1280))
    faint = blurred(MILK).astype(np.float64) * 0.12 + rng.normal(0, 3, (720, 1280))
    assert is_blank(np.clip(empty, 0, 255).astype(np.uint8))
    assert not is_blank(np.clip(faint, 0, 255).astype(np.uint8))
