"""Filters for logs. They remove tokens, because Django logs the URL of refused requests, which may contain the token of
a link; tracebacks of malformed requests; and cancellations of requests."""

import asyncio
import logging
import re

_TOKEN = re.compile(r"(/r/|/seat/|(?<![\w/-])/results/|[?&](?:token|code|key)=)[\w%-]+")


class RedactTokens(logging.Filter):
    """Replaces tokens with “…”."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record is logged."""
        message = record.getMessage()
        if _TOKEN.search(message):
            record.msg, record.args = _TOKEN.sub(r"\1…", message), None
        return True


class OmitTraceback(logging.Filter):
    """Logs a malformed request in one line: Django would add a traceback, which says nothing about the server."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record is logged."""
        if getattr(record, "status_code", None) == 400:
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


class OmitCancelled(logging.Filter):
    """Omits the cancellation of a request. The cancellation passes through the middleware's thread as an exception of a
    future that asgiref shields, and from Python 3.14 on asyncio logs that with a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, asyncio.CancelledError) and "in shielded future" in record.getMessage())
