"""The claims, one per file. A new file with a ``CLAIM`` adds one: nothing else changes."""

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.model import Claim, Topic


@cache
def all_claims() -> tuple[Claim, ...]:
    """Every claim, by topic and then by id; ids are unique."""
    claims: list[Claim] = [
        import_module(f"{__name__}.{module.name}").CLAIM for module in pkgutil.iter_modules(__path__)
    ]
    topics = list(Topic)
    return tuple(sorted(claims, key=lambda claim: (topics.index(claim.topic), claim.id)))
