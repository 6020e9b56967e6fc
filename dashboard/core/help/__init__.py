"""Help texts for the sections of pages, each with its source.

A heading shows its text with ``{% what_is "KEY" %}``; tests/web/test_help_text.py finds headings without one.
"""

from collections.abc import Mapping

from dashboard.core.help import (
    claims as help_claims,
)
from dashboard.core.help import (
    experiments as help_experiments,
)
from dashboard.core.help import (
    measurements as help_measurements,
)
from dashboard.core.help import (
    operations as help_operations,
)
from dashboard.core.help import (
    reports as help_reports,
)
from dashboard.core.help import (
    training as help_training,
)
from dashboard.core.help import (
    training_results,
)
from dashboard.core.help.entry import Help

__all__ = ["HELP", "Help"]

HELP: Mapping[str, Help] = {
    one.key: one
    for one in (
        *help_experiments.HELP,
        *help_measurements.HELP,
        *help_reports.HELP,
        *help_claims.HELP,
        *help_training.HELP,
        *training_results.HELP,
        *help_operations.HELP,
    )
}
