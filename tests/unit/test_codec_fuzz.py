"""No bytes are an exception in any codec: seeded mutations, and cases found before."""

from __future__ import annotations

import logging
from random import Random

import pytest
from codec_fuzz import CASES, SEEDS, TARGETS, mutated

RUNS = 400


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("target", TARGETS)
def test_no_mutation_of_a_message_is_an_exception(target):
    random = Random(7)
    for seed in SEEDS[target]:
        TARGETS[target](seed)
    for _ in range(RUNS):
        TARGETS[target](mutated(target, random))


@pytest.mark.parametrize(
    "case",
    sorted(path.relative_to(CASES) for path in CASES.glob("*/*")),
    ids=str,
)
def test_no_case_found_before_is_found_again(case):
    TARGETS[case.parts[0]]((CASES / case).read_bytes())
