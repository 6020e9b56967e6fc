"""The example report in ``example.json``: a real run on a private host, anonymised."""

from functools import cache
from pathlib import Path

from dashboard.core.reports.model import digest_of
from dashboard.core.reports.validate import validate_file
from dashboard.store.reports.reading import Derived, derive

FILE = Path(__file__).with_name("example.json")


def is_there() -> bool:
    """Whether this installation contains the example report."""
    return FILE.is_file()


@cache
def load() -> tuple[Derived, str]:
    """Returns the example report in the form that pages show (``derive``), and the SHA-256 of its content."""
    content, body = validate_file(FILE.read_bytes())
    return derive(content), digest_of(body)
