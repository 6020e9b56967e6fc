"""Misconceptions as values, and the prediction against what happened."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.misconception import Misconception, Revealed, reveal
from dashboard.core.claims.misconceptions import all_misconceptions, misconception
from dashboard.core.reports.model import ClaimVerdict

ONE = all_misconceptions()[0]


@pytest.mark.parametrize("one", all_misconceptions(), ids=lambda one: one.id)
def test_a_misconception_asks_explains_and_says_how_to_do_it_right(one: Misconception) -> None:
    assert one.question.endswith("?")
    assert len(set(one.choices)) == len(one.choices) >= 2
    assert 0 <= one.right < len(one.choices)
    assert all(text.endswith(".") for text in (one.expected, one.happened, one.why, one.remedy))
    assert one.remedy_lines
    assert one.claim in all_claims()
    assert misconception(one.id) is one


def test_there_are_at_least_ten_with_names_of_their_own() -> None:
    ids = {one.id for one in all_misconceptions()}
    assert len(ids) == len(all_misconceptions()) >= 10
    assert misconception("no-such") is None


@pytest.mark.parametrize("text", ["", "x", "-1", "99", "1.0", "²"])
def test_a_prediction_that_is_no_choice_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(ValueError, match="Choose one of the answers"):
        ONE.choice(text)


def test_what_happened_is_told_against_what_was_said() -> None:
    wrong = (ONE.right + 1) % len(ONE.choices)
    right = Revealed(ONE.choices[ONE.right], ONE.choices[ONE.right], predicted_right=True)
    assert reveal(ONE, ONE.choice(str(ONE.right)), ClaimVerdict.HOLDS) == right
    assert reveal(ONE, wrong, ClaimVerdict.HOLDS).predicted_right is False
    assert reveal(ONE, wrong, ClaimVerdict.DIFFERS) == Revealed(ONE.choices[wrong], "", None)
