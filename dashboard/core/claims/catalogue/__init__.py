"""The catalogue of claims. A module defines one ``CLAIM`` or several ``CLAIMS``. To add a claim, add it to the
``CLAIMS`` of a module or add a module; nothing else needs to be changed."""

import pkgutil
from functools import cache
from importlib import import_module

from dashboard.core.claims.model import Claim, Topic


@cache
def all_claims() -> tuple[Claim, ...]:
    """Returns every claim, sorted by topic and then by id. Ids are unique."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    claims = [claim for module in modules for claim in getattr(module, "CLAIMS", ()) or (module.CLAIM,)]
    topics = list(Topic)
    return tuple(sorted(claims, key=lambda claim: (topics.index(claim.topic), claim.id)))


def find_claim(identity: str) -> Claim:
    """Returns the claim with this id. Raises KeyError if it does not exist."""
    return {claim.id: claim for claim in all_claims()}[identity]
