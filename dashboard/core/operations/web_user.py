"""Chooses the ordinary user under which the web process runs if root starts Netmodes."""

from collections.abc import Collection
from dataclasses import dataclass

#: The name of an account that an administrator may create for the web process.
ACCOUNT = "netmodes"
#: Ids that neither Debian nor systemd assigns (Debian policy 9.2.2; systemd, UIDS-GIDS).
FREE_IDS = range(65521, 65534)


@dataclass(frozen=True, slots=True)
class WebUser:
    """The ids of a user and of its only group."""

    uid: int
    gid: int


def choose_web_user(owner: WebUser, account: WebUser | None, taken: Collection[int]) -> WebUser:
    """Returns the user of the web process: never root, and never a user with root's group.

    The owner of the data folder is preferred if it is an ordinary user, because that user has access to the database.
    Next is the account ``netmodes``, then an unused id. ``taken`` are the ids of accounts and groups. Raises
    LookupError if no id is free.
    """
    for user in (owner, account):
        if user is not None and user.uid and user.gid:
            return user
    free = next((number for number in FREE_IDS if number not in taken), None)
    if free is None:
        raise LookupError(
            f"No user id from {FREE_IDS[0]} to {FREE_IDS[-1]} is free: create an account named {ACCOUNT}."
        )
    return WebUser(free, free)
