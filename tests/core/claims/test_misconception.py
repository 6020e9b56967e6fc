"""Misconceptions as values, and predictions compared with the outcome."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.misconception import Misconception, PredictionResult, compare_prediction
from dashboard.core.claims.misconceptions import all_misconceptions, find_misconception
from dashboard.core.reports.model import ClaimVerdict

FIRST = all_misconceptions()[0]


@pytest.mark.parametrize("one", all_misconceptions(), ids=lambda one: one.id)
def test_a_misconception_has_a_question_a_cause_and_a_fix(one: Misconception) -> None:
    assert one.question.endswith("?")
    assert len(set(one.choices)) == len(one.choices) >= 2
    assert 0 <= one.right < len(one.choices)
    assert all(text.endswith(".") for text in (one.expected, one.happened, one.why, one.remedy))
    assert one.remedy_lines
    assert one.claim in all_claims()
    assert find_misconception(one.id) is one


def test_there_are_at_least_ten_with_unique_ids() -> None:
    ids = {one.id for one in all_misconceptions()}
    assert len(ids) == len(all_misconceptions()) >= 10
    assert find_misconception("no-such") is None


@pytest.mark.parametrize("text", ["", "x", "-1", "99", "1.0", "²"])
def test_an_invalid_choice_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match="Choose one of the answers"):
        FIRST.parse_choice(text)


def test_the_prediction_is_compared_with_the_outcome() -> None:
    wrong = (FIRST.right + 1) % len(FIRST.choices)
    right = PredictionResult(FIRST.choices[FIRST.right], FIRST.choices[FIRST.right], correct=True)
    assert compare_prediction(FIRST, FIRST.parse_choice(str(FIRST.right)), ClaimVerdict.HOLDS) == right
    assert compare_prediction(FIRST, wrong, ClaimVerdict.HOLDS).correct is False
    assert compare_prediction(FIRST, wrong, ClaimVerdict.DIFFERS) == PredictionResult(FIRST.choices[wrong], "", None)
    condition = "with userland-proxy=false"
    assert compare_prediction(FIRST, FIRST.right, ClaimVerdict.HOLDS, condition).correct is None
