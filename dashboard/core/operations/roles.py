"""Roles of accounts, and what each role may do."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The role of an account."""

    OWNER = "owner"
    INSTRUCTOR = "instructor"
    READER = "reader"


class Action(StrEnum):
    """What an account may do, as in the table of docs/operating.md."""

    READ = "read"
    LAUNCH = "launch"
    CHANGE = "change"
    SAVE = "save"
    CHANGE_REPORT = "change report"
    OPEN_SESSION = "open session"
    LEAD = "lead"
    START_ENGINE = "start engine"
    LANS = "lans"
    MANAGE = "manage"
    OWN_ACCOUNT = "own account"


class OwnedKind(StrEnum):
    """The kinds of objects that belong to the account that created them."""

    EXPERIMENT = "experiment"
    MEASUREMENT = "measurement"
    CLAIMS = "claims"
    REPORT = "report"


class Access(StrEnum):
    """Whether a role may perform an action: always, only on objects that belong to the account, or never."""

    YES = "yes"
    OWN = "own"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table of roles. ``text`` is the action in words. There is no field for owners, because they may do
    everything."""

    text: str
    instructor: Access
    reader: Access

    def access(self, role: Role) -> Access:
        """Returns the access of a role."""
        return {Role.OWNER: Access.YES, Role.INSTRUCTOR: self.instructor, Role.READER: self.reader}[role]


RULES: dict[Action, Rule] = {
    Action.READ: Rule("read experiments, measurements, claims and reports; export reports", Access.YES, Access.YES),
    Action.OWN_ACCOUNT: Rule("change one's own password, sign out", Access.YES, Access.YES),
    Action.LAUNCH: Rule(
        "launch experiments, measurements and claims, send requests, run workshops", Access.YES, Access.NO
    ),
    Action.CHANGE: Rule("stop, rename, launch again and remove what was launched", Access.OWN, Access.NO),
    Action.SAVE: Rule("save and import reports, write remarks", Access.YES, Access.NO),
    Action.CHANGE_REPORT: Rule("archive, delete and share reports", Access.OWN, Access.NO),
    Action.OPEN_SESSION: Rule("create training sessions", Access.YES, Access.NO),
    Action.LEAD: Rule("lead sessions, see their participants, answers and results", Access.OWN, Access.NO),
    Action.START_ENGINE: Rule("start the engine of the server's private host again", Access.YES, Access.NO),
    Action.LANS: Rule("create and remove LANs of private hosts, form swarms", Access.YES, Access.NO),
    Action.MANAGE: Rule("manage accounts and machines, read the audit trail", Access.NO, Access.NO),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an account may not do something, and what to do."""

    sentence: str


def may(role: Role, action: Action, *, owned: bool) -> Refusal | None:
    """Returns why a role may not perform the action; None if it may. ``owned`` is true if the action concerns an object
    that belongs to the account."""
    access = RULES[action].access(role)
    if access is Access.YES or (access is Access.OWN and owned):
        return None
    if access is Access.OWN:
        return Refusal("This belongs to another account. Ask its creator or an owner.")
    if action is Action.MANAGE:
        return Refusal("Only an owner manages accounts and machines, and reads the audit trail.")
    return Refusal(f"An account with the role {role} cannot {RULES[action].text}. Ask an owner for another role.")


def table() -> Iterator[tuple[str, Access, Access, Access]]:
    """Yields the rows of the table of roles: the action in words, and the access of owner, instructor and reader."""
    for rule in RULES.values():
        owner, instructor, reader = (rule.access(role) for role in Role)
        yield rule.text, owner, instructor, reader


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The role of an account, and whether it can sign in."""

    role: Role
    active: bool


def change_problem(account: AccountStatus, changed: AccountStatus, other_owners: int) -> Refusal | None:
    """Returns why ``account`` cannot be changed to ``changed``; None if it can. ``other_owners`` is the number of other
    active accounts with the role owner."""
    was_owner = account.role is Role.OWNER and account.active
    stays_owner = changed.role is Role.OWNER and changed.active
    if was_owner and not stays_owner and other_owners == 0:
        return Refusal("This is the only owner. Make another account an owner first.")
    return None
