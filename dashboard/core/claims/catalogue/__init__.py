"""The claims. A module has a ``CLAIM`` or, where claims of one subject share code, ``CLAIMS``. A new module or entry
adds a claim: nothing else changes."""

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.model import Claim, Topic


@cache
def all_claims() -> tuple[Claim, ...]:
    """Every claim, by topic and then by id; ids are unique."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    claims = [claim for module in modules for claim in getattr(module, "CLAIMS", ()) or (module.CLAIM,)]
    topics = list(Topic)
    return tuple(sorted(claims, key=lambda claim: (topics.index(claim.topic), claim.id)))
