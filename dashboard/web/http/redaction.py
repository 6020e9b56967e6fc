"""Log filters. They remove tokens, since Django logs the URLs of refused requests, which may contain the token of a
link; tracebacks of malformed requests; and messages about cancelled requests."""

import asyncio
import logging
import re

_TOKEN = re.compile(r"(/r/|/seat/|(?<![\w/-])/results/|[?&](?:token|code|key)=)[\w%-]+")


class RedactTokens(logging.Filter):
    """Replaces the tokens in log messages with “…”."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redacts the record. Returns True, so that it is logged."""
        message = record.getMessage()
        if _TOKEN.search(message):
            record.msg, record.args = _TOKEN.sub(r"\1…", message), None
        return True


class OmitTraceback(logging.Filter):
    """Makes Django log a malformed request in one line, as a warning. The traceback that Django adds contains nothing
    about the server."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Removes the traceback from the record. Returns True, so that it is logged."""
        if getattr(record, "status_code", None) == 400:
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


class OmitCancelled(logging.Filter):
    """Omits messages about cancelled requests. The cancellation passes through the middleware's thread as the exception
    of a future that asgiref shields; from Python 3.14 on asyncio logs that with a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be logged."""
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, asyncio.CancelledError) and "in shielded future" in record.getMessage())
