"""Figures in words. The browser says the same (``js/core/say.js``); ``tests/js/vectors.json`` holds both to it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def fixed(value: float, digits: int) -> str:
    """``value`` with ``digits`` decimals, rounded as JavaScript's ``toFixed`` does: a half goes up."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def say_duration(seconds: float) -> str:
    """``14 s``, ``2 min 14 s``, ``3 h 5 min`` or ``2 d 4 h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def say_offset(seconds: float) -> str:
    """Seconds since the beginning: ``0.081``, ``132.7``, ``20:05``, ``3:20:05``."""
    if seconds < 10:
        return fixed(max(0.0, seconds), 3)
    if seconds < 600:
        return fixed(seconds, 1)
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def say_micros(value: float | str | None) -> str:
    """``18 µs``, ``1.9 ms`` or ``2.04 s``; empty when nothing was timed."""
    if value is None or isinstance(value, str):
        return ""
    if value < 1000:
        return f"{fixed(value, 0)} µs"
    if value < 1_000_000:
        return f"{fixed(value / 1000, 1)} ms"
    return f"{fixed(value / 1_000_000, 2)} s"
