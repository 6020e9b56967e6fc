"""What each section of the pages is: the fact and its source, in one place.

A heading shows its answer with ``{% what_is "KEY" %}``; tests/web/test_explained.py finds a heading without one.
"""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.help import classes, comparing, measuring, results, said, saved
from dashboard.core.help.entry import Help

__all__ = ["HELP", "Help"]

HELP: Mapping[str, Help] = {
    one.key: one for one in (*comparing.HELP, *measuring.HELP, *saved.HELP, *said.HELP, *classes.HELP, *results.HELP)
}
