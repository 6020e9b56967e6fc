"""A misconception: a set-up that does not do what people expect, executed as a claim, with reason and remedy."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.core.claims.model import Claim
from dashboard.core.reports.model import ClaimVerdict


@dataclass(frozen=True, slots=True)
class Misconception:
    """One broken set-up. ``expected`` is what people think; ``question`` with ``choices`` asks for a prediction, and
    ``right`` is the number of the choice that comes true where ``claim`` holds.

    ``happened`` says what it was, ``why`` the reason, ``remedy`` how to do it right, ``remedy_lines`` what to type.
    """

    id: str
    title: str
    expected: str
    question: str
    choices: tuple[str, ...]
    right: int
    claim: Claim
    happened: str
    why: str
    remedy: str
    remedy_lines: tuple[str, ...] = ()

    def choice(self, text: str) -> int:
        """The number of a choice as a form sends it; ValueError with a sentence if it is none."""
        if not (text.isascii() and text.isdigit() and int(text) < len(self.choices)):
            raise ValueError("Choose one of the answers first: a prediction is what makes the result stay in mind.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Revealed:
    """What is shown after the run. ``predicted_right`` is None where this engine did something else: then nobody was
    right or wrong."""

    predicted: str
    outcome: str
    predicted_right: bool | None


def reveal(one: Misconception, prediction: int, verdict: ClaimVerdict) -> Revealed:
    """The prediction against what happened."""
    predicted = one.choices[prediction]
    if verdict is not ClaimVerdict.HOLDS:
        return Revealed(predicted, "", None)
    return Revealed(predicted, one.choices[one.right], prediction == one.right)
