"""Adds machines to the installation and revokes them. One transaction uses up the token of a machine and creates its
row and its role in PostgreSQL."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from dashboard.core.operations.machines import MachineFacts, name_problem, with_credentials
from dashboard.store import machines
from dashboard.store.installation import installation_id
from dashboard.store.operations import audit, join_tokens, machine_roles

log = logging.getLogger(__name__)


class JoinError(ValueError):
    """A machine cannot join. ``str()`` is the reason, as a sentence."""


class NotAddedError(JoinError):
    """The token is valid, but the database did not add the machine."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a machine receives when it joins. ``machine`` is its name. ``database`` and ``nats`` are the URLs of
    PostgreSQL and NATS, with user name and password. ``installation`` is the installation's id, for the labels of
    containers and networks."""

    machine: str
    database: str
    nats: str
    installation: str


def installation_problem() -> str:
    """Why no machine can join this installation; empty if machines can join."""
    if machine_roles.is_supported() and settings.NATS_URL:
        return ""
    return _("Machines can join only a team deployment, which uses PostgreSQL and NATS. This server is not one.")


def addresses() -> tuple[str, str]:
    """The URLs at which machines reach PostgreSQL and NATS. If they are those of this process, they contain its user
    names and passwords."""
    return settings.MACHINES_DATABASE or settings.DATABASE_URL, settings.MACHINES_NATS or settings.NATS_URL


def _with_credentials(service: str, setting: str, url: str, user: str, password: str) -> str:
    """Returns the URL of a service with the credentials of a machine. Raises JoinError if the URL cannot be used. The
    reason names the setting and not the URL, which may contain this server's own password."""
    try:
        return with_credentials(url, user, password)
    except ValueError:
        sentence = _(
            "The address at which machines reach %(service)s names no valid host. Set %(setting)s on the server."
        )
        raise JoinError(sentence % {"service": service, "setting": setting}) from None


def join(token: str, name: str, labels: Mapping[str, str], facts: MachineFacts, address: str) -> Credentials:
    """Adds a machine and returns its credentials. The passwords in them are not stored. ``address`` is the client's
    address, for the audit trail. Raises TokenError if the token cannot be used, and JoinError if the machine cannot
    join for another reason. After an error nothing is changed, and a valid token remains valid."""
    if missing := installation_problem():
        raise JoinError(missing)
    join_tokens.check(token)
    if problem := name_problem(name):
        raise JoinError(problem)
    database, nats = addresses()
    try:
        with transaction.atomic():
            machine_roles.take_turn()
            key = machines.register(name, labels, facts)
            join_tokens.use(token, name)
            role, password = machine_roles.create(name)
            audit.record("join machine", name, audit.DONE, account="machine", address=address)
            return Credentials(
                name,
                _with_credentials("PostgreSQL", "NETMODES_MACHINES_DATABASE", database, role, password),
                _with_credentials("NATS", "NETMODES_MACHINES_NATS", nats, name, key),
                installation_id(),
            )
    except DatabaseError:
        log.exception("cannot add the machine %s and its role in PostgreSQL", name)
        raise NotAddedError(
            _("The database did not add this machine; the server's log has the reason. Try again in a minute.")
        ) from None
    except join_tokens.TokenError:
        raise
    except ValueError as error:
        raise JoinError(str(error)) from None


@audit.audited
@transaction.atomic
def revoke(name: str) -> bool:
    """Ends the access of a machine to the database and invalidates its key for NATS. Returns False if the machine does
    not exist or was revoked before."""
    machine_roles.take_turn()
    if not machines.revoke(name):
        return False
    machine_roles.close(name)
    return True
