"""The accounts that created the objects in a list, and the filter “mine”. Pages show both only if more than one account
exists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from dashboard.store.operations import accounts


@dataclass(frozen=True, slots=True)
class Creators:
    """The accounts whose objects a list shows.

    ``ids`` are the ids of these accounts, None for all accounts. The id None stands for objects without an owner.
    ``names`` are the names of all accounts by id; empty if only one account exists.
    """

    names: Mapping[int | None, str]
    ids: frozenset[int | None] | None

    def filter[M: Model](self, rows: QuerySet[M]) -> QuerySet[M]:
        """Restricts rows to the objects of the accounts in ``ids``."""
        if self.ids is None:
            return rows
        unowned = Q(owner=None) if None in self.ids else Q(pk__in=())
        return rows.filter(Q(owner__in=[one for one in self.ids if one is not None]) | unowned)

    @property
    def context(self) -> dict[str, Any]:
        """The template variables for ``{% creator %}`` and ``operations/accounts/_owner_filter.html``."""
        return {"creators": self.names, "mine": self.ids is not None}


def creators_of(request: HttpRequest) -> Creators:
    """Returns the accounts whose objects a list page shows: all accounts or, with ``?owner=me``, only the user's own.
    Queries the database."""
    names = accounts.creator_names()
    if not names or request.GET.get("owner") != "me":
        return Creators(names, None)
    me = int(request.user.pk or 0)
    mine: set[int | None] = {me}
    if me == accounts.the_owner().pk:
        mine.add(None)  # objects from the command line, or from before accounts existed
    return Creators(names, frozenset(mine))
