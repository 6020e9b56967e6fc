"""A misconception: a setup that does not do what people expect, executed as a claim, with cause and fix."""

from dataclasses import dataclass

from dashboard.core.claims.model import Claim
from dashboard.core.reports.model import ClaimVerdict


@dataclass(frozen=True, slots=True)
class Misconception:
    """One surprising setup. ``expected`` is what people think that it does. ``question`` and ``choices`` ask for a
    prediction. ``right`` is the index of the choice that is true on an engine where ``claim`` holds. ``happened`` is
    what the setup really does, and ``why`` is the cause. ``remedy`` is the fix, ``remedy_lines`` are its commands."""

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

    def parse_choice(self, text: str) -> int:
        """Returns the index of the choice that a form sent. Raises ValueError with a message if the choice does not
        exist."""
        if not (text.isascii() and text.isdigit() and int(text) < len(self.choices)):
            raise ValueError("Choose one of the answers first.")
        return int(text)


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """The result of a prediction. ``predicted`` is the text of the predicted choice, ``outcome`` is the text of the
    true one. ``correct`` tells whether the two are the same. The true choice is known only if the claim held with its
    usual statement. Otherwise ``outcome`` is empty and ``correct`` is None."""

    predicted: str
    outcome: str
    correct: bool | None


def compare_prediction(
    misconception: Misconception, prediction: int, verdict: ClaimVerdict, condition: str = ""
) -> PredictionResult:
    """Compares a prediction with the verdict of the claim. ``prediction`` is the index of a choice. ``condition`` is
    that of the executed claim (``ExecutedClaim.condition``): it is empty if the usual statement of the claim was
    judged."""
    predicted = misconception.choices[prediction]
    if verdict is not ClaimVerdict.HOLDS or condition:
        return PredictionResult(predicted, "", None)
    return PredictionResult(predicted, misconception.choices[misconception.right], prediction == misconception.right)
