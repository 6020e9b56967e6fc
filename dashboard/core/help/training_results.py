"""What a class came to: the results, the link to one's own, what others are shown, the replay."""

from __future__ import annotations

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

_PAGE = "docs/sessions.md"

HELP: tuple[Help, ...] = (
    Help(
        "results-steps",
        _("the steps"),
        _(
            "Times run from when a step was before somebody until its check passed; of those who finished, half were "
            "faster than the median, nine of ten faster than the last figure. Failed checks count presses of Check."
        ),
        _PAGE,
    ),
    Help(
        "results-answers",
        _("predictions against the truth"),
        _(
            "First answers, each once. True is what was read most often on the hosts of the class, with every reading "
            "counted; where a question has a fixed answer, the workshop says it."
        ),
        _PAGE,
    ),
    Help(
        "results-people",
        _("everybody's results"),
        _(
            "A row is a person, a column is a step. P is the prediction: held against what this person's own host "
            "said, else against what the class read. Only you see this table."
        ),
        _PAGE,
    ),
    Help(
        "results-own",
        _("your results"),
        _("What you predicted, what was true, how often a check failed, and how long each step took you."),
        _PAGE,
    ),
    Help(
        "results-link",
        _("the link to your results"),
        _(
            "128 random bits, of which only the SHA-256 is kept. It opens your results and nothing else, also when "
            "the session is over, until the instructor forgets the session. A new link voids the one before."
        ),
        _PAGE,
    ),
    Help(
        "results-take",
        _("taking it along"),
        _(
            "Tables for a spreadsheet, the report as JSON, and the whole session as one HTML file that replays "
            "without a network."
        ),
        _PAGE,
    ),
    Help(
        "results-share",
        _("the anonymous results"),
        _(
            "Nobody is named, counted by themselves or timed. Each count is rounded to the nearest 5, shares are told "
            "from 23 people on, averages from 8 on: nobody can tell what one person answered."
        ),
        _PAGE,
    ),
)
