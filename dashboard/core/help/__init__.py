"""The help texts behind “What is this?” at headings of pages, each with its source.

A heading shows its text with ``{% what_is "KEY" %}``. tests/web/test_help_text.py finds headings that have no text.
"""

from collections.abc import Mapping

from dashboard.core.help import claims, experiments, measurements, operations, reports, training, training_results
from dashboard.core.help.entry import Help

__all__ = ["HELP", "Help"]

HELP: Mapping[str, Help] = {
    one.key: one
    for one in (
        *experiments.HELP,
        *measurements.HELP,
        *reports.HELP,
        *claims.HELP,
        *training.HELP,
        *training_results.HELP,
        *operations.HELP,
    )
}
