"""Help texts on results of a training session: tables, links, the page of anonymous results, the replay."""

from dashboard.core.help.entry import Help
from dashboard.core.help.entry import mark as _

_PAGE = "docs/sessions.md"

HELP: tuple[Help, ...] = (
    Help(
        "results-steps",
        _("the steps"),
        _(
            "The times run from opening a step to passing its check: median and 90th percentile of the participants "
            "who finished. “Failed checks” counts how often participants pressed “Check” before the step was done."
        ),
        _PAGE,
    ),
    Help(
        "results-answers",
        _("predictions and truth"),
        _(
            "Only each participant's first answer counts. The correct answer is the value that was read most often on "
            "the session's hosts; all values are shown. For some questions, the workshop sets the correct answer."
        ),
        _PAGE,
    ),
    Help(
        "results-people",
        _("the participants' results"),
        _(
            "A row is a participant, a column is a step. P shows whether the prediction was correct, compared with "
            "the reading on the participant's own host, or else with the session's reading. Only you see this table."
        ),
        _PAGE,
    ),
    Help(
        "results-own",
        _("your results"),
        _("Your predictions, the correct answers, failed checks, and your time in each step."),
        _PAGE,
    ),
    Help(
        "results-link",
        _("the link to your results"),
        _(
            "The link contains 128 random bits, of which only the SHA-256 is stored. It opens your results and nothing "
            "else, also after the session, until the instructor deletes the session. A new link voids the previous "
            "one."
        ),
        _PAGE,
    ),
    Help(
        "results-take",
        _("the exports"),
        _("CSV tables, the report as JSON, and the whole session as one HTML file that replays offline."),
        _PAGE,
    ),
    Help(
        "results-share",
        _("the anonymous results"),
        _(
            "Results without names, individual participants or their times. Counts are rounded to the nearest 5. "
            "Shares and 90th percentiles are shown if there are at least 23 participants, median times if there are at "
            "least 8. So nobody can infer what one participant answered."
        ),
        _PAGE,
    ),
)
