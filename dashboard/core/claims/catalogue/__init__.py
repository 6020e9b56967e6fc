"""The claims, one a file. A new file with a ``CLAIM`` in it is a new claim: nothing else is to be changed."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.model import Claim


@cache
def all_claims() -> tuple[Claim, ...]:
    """Every claim, by topic and then by id; ids are unique."""
    found: list[Claim] = [import_module(f"{__name__}.{one.name}").CLAIM for one in pkgutil.iter_modules(__path__)]
    order = list(type(found[0].topic)) if found else []
    return tuple(sorted(found, key=lambda claim: (order.index(claim.topic), claim.id)))
