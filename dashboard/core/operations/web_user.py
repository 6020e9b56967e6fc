"""The ordinary user of the web side of a lab that root has started."""

from collections.abc import Collection
from dataclasses import dataclass

#: The name of an account that an administrator may create for the web side.
ACCOUNT = "netmodes"
#: Ids that neither Debian nor systemd gives to anything (Debian policy 9.2.2; systemd, UIDS-GIDS).
FREE_IDS = range(65521, 65534)


@dataclass(frozen=True, slots=True)
class WebUser:
    """The ids of a user and of its only group."""

    uid: int
    gid: int


def choose_web_user(owner: WebUser, account: WebUser | None, taken: Collection[int]) -> WebUser:
    """The owner of the data folder if that is an ordinary user, who keeps access to the database; else the account
    ``netmodes``; else an id that nothing else runs with. Never the user or the group of root. ``taken``: the ids of
    accounts and groups. LookupError if none is free."""
    for user in (owner, account):
        if user is not None and user.uid and user.gid:
            return user
    free = next((number for number in FREE_IDS if number not in taken), None)
    if free is None:
        raise LookupError(
            f"No user id from {FREE_IDS[0]} to {FREE_IDS[-1]} is free: create an account named {ACCOUNT}."
        )
    return WebUser(free, free)
