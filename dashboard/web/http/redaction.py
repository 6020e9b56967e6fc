"""Filters for log messages.

They remove tokens, because Django logs the URLs of refused requests and a URL may contain the token of a link. They
also remove the tracebacks of malformed requests, and messages about cancelled requests.
"""

import asyncio
import logging
import re

_TOKEN = re.compile(r"(/r/|/seat/|(?<![\w/-])/results/|[?&](?:token|code|key)=)[\w%-]+")


class RedactTokens(logging.Filter):
    """Replaces the tokens in log messages with “…”."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redacts the record. Returns True, so that the record is logged."""
        message = record.getMessage()
        if _TOKEN.search(message):
            record.msg, record.args = _TOKEN.sub(r"\1…", message), None
        return True


class OmitTraceback(logging.Filter):
    """Logs a malformed request in one line, as a warning.

    Omits the traceback that Django adds, because it contains nothing about the server.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """If the response has status 400, removes the traceback from the record and makes the record a warning.
        Returns True, so that the record is logged."""
        if getattr(record, "status_code", None) == 400:
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


class OmitCancelled(logging.Filter):
    """Drops messages about cancelled requests.

    A cancelled request leaves an exception in a future that asgiref shields. From Python 3.14 on, asyncio logs it with
    a traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns False if the record is about a cancelled request, so that it is not logged."""
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, asyncio.CancelledError) and "in shielded future" in record.getMessage())
