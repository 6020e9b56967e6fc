"""Formats figures as text. ``static/dashboard/js/core/format.js`` does the same; ``tests/js/vectors.json`` tests
both."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from dashboard.core.modes import Mode

NOTHING = "–"  # noqa: RUF001 - a dash for nothing, as everywhere on the pages
MINUS = "\N{MINUS SIGN}"
_LAST_SECOND = 253_402_300_799.0  # the end of the year 9999
_NUMBERED = re.compile(r"-\d+$")


def fixed(value: float, digits: int) -> str:
    """Formats ``value`` with ``digits`` decimals, rounded like JavaScript's ``toFixed``: halves round up.

    Measured values have at most 15 digits. Larger values, from 1e15, are written as ``1.23e+15``.
    """
    if not abs(value) < 1e15:
        return f"{value:.2e}"
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def moment_of(seconds: float) -> datetime:
    """Returns the time in UTC for seconds since the epoch. Values before 1970 or after 9999 are clamped."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_SECOND), UTC)


def format_duration(seconds: float) -> str:
    """Formats a duration: ``14 s``, ``2 min 14 s``, ``3 h 5 min`` or ``2 d 4 h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def format_offset(seconds: float) -> str:
    """Formats the seconds since the start of an experiment or a replay: ``0.081``, ``132.7``, ``20:05`` or
    ``3:20:05``."""
    if seconds < 10:
        return fixed(max(0.0, seconds), 3)
    if seconds < 600:
        return fixed(seconds, 1)
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def format_micros(value: float | str | None) -> str:
    """Formats microseconds: ``18 µs``, ``1.9 ms`` or ``2.04 s``. Returns an empty text for None, and for the text that
    Django passes for a missing variable of a template."""
    if value is None or isinstance(value, str):
        return ""
    if value < 1000:
        return f"{fixed(value, 0)} µs"
    if value < 1_000_000:
        return f"{fixed(value / 1000, 1)} ms"
    return f"{fixed(value / 1_000_000, 2)} s"


def mode_of(column: str, modes: Mapping[str, str] | None = None) -> str:
    """Returns the mode of a column: the value of ``modes`` for this column, otherwise the mode that the column's key
    names (``bridge-2`` is a bridge), otherwise ``machine``."""
    known = (modes or {}).get(column) or _NUMBERED.sub("", column)
    return known if known in set(Mode) else "machine"


def micros(value: float | None) -> str:
    """Formats microseconds without unit: with one decimal below 1000, otherwise with none; a dash for None."""
    if value is None:
        return NOTHING
    text = fixed(abs(value), 1 if abs(value) < 1000 else 0)
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def _difference_digits(value: float) -> int:
    """Returns the number of decimals of a difference in microseconds: two below 10, because a quiet run resolves
    hundredths, one below 1000, otherwise none."""
    return 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0


def format_difference(value: float) -> str:
    """Formats a difference in microseconds without a plus sign: ``0.04``, ``29.8`` or ``1500``."""
    return fixed(value, _difference_digits(value))


def _bound(value: float, rounding: str) -> str:
    if not abs(value) < 1e15:
        return f"{value:.2e}"
    # The shortest decimal: 0.2 itself is slightly more than 0.20.
    return str(Decimal(str(value)).quantize(Decimal(1).scaleb(-_difference_digits(value)), rounding))


def format_upper_bound(value: float) -> str:
    """Formats what a difference in microseconds does not exceed, rounded up: the text is an upper bound, too."""
    return _bound(value, ROUND_CEILING)


def format_lower_bound(value: float) -> str:
    """Formats the least value of a difference in microseconds, rounded down: the text is a lower bound, too."""
    return _bound(value, ROUND_FLOOR)


def signed(value: float, digits: int | None = None) -> str:
    """Formats a number with its sign and ``digits`` decimals; by default as many as ``format_difference``. A value that
    rounds to zero has no sign."""
    text = fixed(abs(value), _difference_digits(value) if digits is None else digits)
    return text if float(text) == 0 else f"{'+' if value > 0 else MINUS}{text}"


def format_interval(ends: tuple[float, float] | None) -> str:
    """Formats the ends of an interval with signs: ``[+1.40, +1.60]``; an empty text for None."""
    return "" if ends is None else f"[{signed(ends[0])}, {signed(ends[1])}]"


def format_rate(per_s: float | None) -> str:
    """Formats a throughput in bytes per second: ``3.21 GB/s`` or ``870 MB/s``; an empty text for None."""
    if per_s is None:
        return ""
    return f"{fixed(per_s / 1e9, 2)} GB/s" if per_s >= 1e9 else f"{fixed(per_s / 1e6, 0)} MB/s"
