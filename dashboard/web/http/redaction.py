"""No token of a link in a log: Django writes the address of what it refuses, and that of a shared
report or of a participant has one in it."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/r/|/seat/|[?&](?:token|code|key)=)[\w%-]+")


class WithoutTokens(logging.Filter):
    """Puts “…” in place of the token in what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: the record is logged."""
        said = record.getMessage()
        if _TOKEN.search(said):
            record.msg, record.args = _TOKEN.sub(r"\1…", said), None
        return True
