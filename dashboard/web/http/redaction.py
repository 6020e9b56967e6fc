"""Removes tokens from logs: Django logs the URL of refused requests, which may contain the token of a link."""

import logging
import re

_TOKEN = re.compile(r"(/r/|/seat/|(?<![\w/-])/results/|[?&](?:token|code|key)=)[\w%-]+")


class RedactTokens(logging.Filter):
    """Replaces tokens by “…”."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True: the record is logged."""
        message = record.getMessage()
        if _TOKEN.search(message):
            record.msg, record.args = _TOKEN.sub(r"\1…", message), None
        return True
