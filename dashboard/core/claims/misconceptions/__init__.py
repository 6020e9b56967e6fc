"""The misconceptions, one a file. A new file with a ``MISCONCEPTION`` in it is one more: nothing else changes."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.misconception import Misconception


@cache
def all_misconceptions() -> tuple[Misconception, ...]:
    """Every misconception, by title; ids are unique."""
    found = [import_module(f"{__name__}.{one.name}").MISCONCEPTION for one in pkgutil.iter_modules(__path__)]
    return tuple(sorted(found, key=lambda one: one.title))


def misconception(identity: str) -> Misconception | None:
    """The one of this id, if there is one."""
    return next((one for one in all_misconceptions() if one.id == identity), None)
