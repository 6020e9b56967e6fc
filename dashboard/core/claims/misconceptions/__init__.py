"""All misconceptions, by subject. Every module in this package defines ``MISCONCEPTIONS``."""

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.misconception import Misconception


@cache
def all_misconceptions() -> tuple[Misconception, ...]:
    """Returns every misconception, sorted by title. Ids are unique."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted((each for module in modules for each in module.MISCONCEPTIONS), key=lambda each: each.title))


def find_misconception(identity: str) -> Misconception | None:
    """Returns the misconception with this id, None if it does not exist."""
    return next((each for each in all_misconceptions() if each.id == identity), None)
