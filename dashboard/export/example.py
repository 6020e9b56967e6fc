"""The example report that is part of Netmodes: a real run on a private host, anonymised (``example.json``)."""

from functools import cache
from pathlib import Path

from dashboard.core.reports.model import digest_of
from dashboard.core.reports.validate import validate_file
from dashboard.store.reports.reading import Derived, derive

FILE = Path(__file__).with_name("example.json")


def is_there() -> bool:
    """Whether this installation has the example report."""
    return FILE.is_file()


@cache
def load() -> tuple[Derived, str]:
    """The example's view and recording, and the digest of its content."""
    content, body = validate_file(FILE.read_bytes())
    return derive(content), digest_of(body)
