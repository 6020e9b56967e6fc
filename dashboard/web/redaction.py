"""No token of a link in a log: Django writes the address of what it refuses, and a shared report's has one in it."""

from __future__ import annotations

import logging
import re

_TOKEN = re.compile(r"(/r/|[?&]token=)[\w%-]+")


class WithoutTokens(logging.Filter):
    """Puts “…” in place of the token in what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: the record is logged."""
        said = record.getMessage()
        if "/r/" in said or "token=" in said:
            record.msg, record.args = _TOKEN.sub(r"\1…", said), None
        return True
