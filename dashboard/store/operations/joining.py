"""How a machine joins: its token is used, its row and role are created, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from dashboard.core.operations.machines import MachineFacts, name_problem, with_credentials
from dashboard.store import machines
from dashboard.store.operations import audit, join_tokens, machine_roles


class JoinError(ValueError):
    """Why a machine cannot join, as a sentence."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a machine receives: the addresses of PostgreSQL and NATS with its own users."""

    machine: str
    database: str
    nats: str


def installation_problem() -> str:
    """Why no machine can join this installation, empty if one can."""
    if machine_roles.is_supported() and settings.NATS_URL:
        return ""
    return _("Machines join a team deployment, which uses PostgreSQL and NATS. This server uses one machine.")


def addresses() -> tuple[str, str]:
    """The URLs at which machines reach PostgreSQL and NATS, without users."""
    return settings.MACHINES_DATABASE or settings.DATABASE_URL, settings.MACHINES_NATS or settings.NATS_URL


def join(token: str, name: str, labels: Mapping[str, str], facts: MachineFacts, address: str) -> Credentials:
    """Adds a machine and returns its credentials, which are not stored. JoinError with a sentence; the token then
    remains valid."""
    if problem := installation_problem() or name_problem(name):
        raise JoinError(problem)
    database, nats = addresses()
    try:
        with transaction.atomic():
            key = machines.register(name, labels, facts)
            join_tokens.use(token, name)
            role, password = machine_roles.create(name)
            audit.record("join machine", name, audit.DONE, account=_("machine"), address=address)
            return Credentials(name, with_credentials(database, role, password), with_credentials(nats, name, key))
    except ValueError as error:
        raise JoinError(str(error)) from None


@audit.audited
@transaction.atomic
def revoke(name: str) -> bool:
    """Ends the access of a machine to the database, and makes its key for NATS invalid; False if it has none."""
    if not machines.revoke(name):
        return False
    machine_roles.drop(name)
    return True
