"""The swarm of an installation's machines: which ones can join, at which addresses, and why others cannot.

Every member is a manager, because only a manager creates overlay networks. Netmodes does not change a swarm that it did
not form.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.core.namespaces.state import Family, NamespaceState
from dashboard.core.paths.clients.machines import MachineClient, machine_clients
from dashboard.core.paths.clients.outside_clients import find_obstacle, own_links
from dashboard.core.paths.model import global_addresses

#: More managers make a swarm slower, not safer (Docker's documentation, “Administer and maintain a swarm”).
MAX_MEMBERS = 7
FOREIGN = (
    "The engine of {0} is in a swarm that Netmodes did not form and does not change. Choose other machines, or run "
    "`docker swarm leave --force` there if the engine should leave it."
)
#: The Engine keeps the port in versions before 28.3 (moby, commit 16ed51d8).
KEPT = (
    "Docker left a swarm here but still holds the port for overlay networks (7946): overlay networks of another swarm "
    "would not work. Restart Docker on this machine, for example with `systemctl restart docker`; that stops its "
    "containers."
)
CHANGED = "The members of the swarm have changed since this page was loaded. Check the list, and confirm again."
OUTDATED = (
    "{0} has been in the swarm since before {1} was revoked. The revoked machine may be a manager of it and can start "
    "containers there. End the swarm."
)
UNKNOWN = (
    "{0}: the state of its engine is not known. As far as this server knows, it has been in the swarm since before {1} "
    "was revoked. The revoked machine may be a manager of it and can start containers there. End the swarm when the "
    "engine responds again. If the machine does not come back, revoke it too."
)
DIVIDED = "These machines are in different swarms. End the swarm first, then form it again."


class Membership(StrEnum):
    """The swarm to which the engine of a machine belongs: none, the swarm that Netmodes formed of the installation's
    machines (``OWN``), or a different swarm (``FOREIGN``)."""

    NONE = "none"
    OWN = "own"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class SwarmState:
    """What the lab of a machine reports about the swarm.

    ``cluster``, ``address`` and ``since`` are set if ``membership`` is ``OWN``. ``cluster`` is the swarm's id.
    ``address`` is the engine's address in the swarm. ``since`` is when the engine entered it. ``problem`` is the reason
    why the engine cannot be in a swarm; empty if it can.
    """

    membership: Membership = Membership.NONE
    cluster: str = ""
    address: str = ""
    problem: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class SwarmTicket:
    """What an engine needs to join the swarm with the id ``cluster`` as a manager. The token is a secret."""

    cluster: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SwarmMachine:
    """A machine that may join. ``swarm`` is the state of its engine, ``network`` has its interfaces and routes.
    ``problem`` is the reason if both are unknown."""

    name: str
    swarm: SwarmState = SwarmState()
    network: NamespaceState | None = None
    problem: str = ""

    @property
    def is_member(self) -> bool:
        """Whether the machine is in the swarm that Netmodes formed."""
        return self.swarm.membership is Membership.OWN

    @property
    def refusal(self) -> str:
        """Why the machine cannot join. Empty if it can, or if it already is a member."""
        if self.problem or self.is_member:
            return self.problem
        if self.swarm.membership is Membership.FOREIGN:
            return FOREIGN.format(self.name)
        return self.swarm.problem


@dataclass(frozen=True, slots=True)
class SwarmPlan:
    """How the swarm is formed. If ``is_new`` is true, the ``first`` machine forms it. Otherwise ``first`` is a member.
    The ``joining`` machines join one after the other. ``addresses`` has the address of each machine by name."""

    first: str
    joining: tuple[str, ...]
    addresses: Mapping[str, str]
    is_new: bool


class SwarmRefusedError(ValueError):
    """Raised if the swarm cannot be formed. Its text is a sentence for the user."""


def shown_members(machines: Sequence[SwarmMachine]) -> tuple[str, ...]:
    """Returns a text ``NAME ID`` for each machine that is a member: its name and the id of its swarm. The page's form
    for the swarm contains these texts."""
    return tuple(f"{machine.name} {machine.swarm.cluster}" for machine in machines if machine.is_member)


def require_shown(machines: Sequence[SwarmMachine], shown: Collection[str]) -> None:
    """Raises SwarmRefusedError if the members are not the ones that the owner saw in the form (``shown``).

    Members manage all machines that join, and the lab of any machine could falsely report that its machine is a member.
    Without this check, that machine would manage the others although the owner has not chosen it.
    """
    if set(shown) != set(shown_members(machines)):
        raise SwarmRefusedError(CHANGED)


def find_outdated(machines: Sequence[SwarmMachine], revoked: Mapping[str, float]) -> str:
    """Returns a sentence that names the members that entered the swarm before the newest revocation; empty if there are
    none. The machine that was revoked may still be a manager of the swarm. ``revoked`` maps the name of each machine to
    the time of its last revocation. It includes machines that have joined the installation again."""
    last = max(revoked, key=lambda name: revoked[name], default="")
    names = [machine.name for machine in machines if machine.is_member and last and machine.swarm.since < revoked[last]]
    return OUTDATED.format(", ".join(names), last) if names else ""


def find_unknown(machines: Sequence[SwarmMachine], revoked: Mapping[str, float], entered: Mapping[str, float]) -> str:
    """Returns a sentence that names the machines that do not respond and may share a swarm with a revoked machine.

    Such a machine entered a swarm before another machine was revoked. ``revoked`` has the time at which each machine
    was last revoked, by name. ``entered`` has the time at which each machine entered a swarm, 0 if it has left again. A
    machine that is missing in ``entered`` may have entered at any time. Empty if no machine is named.
    """
    names, managers = [], set()
    for machine in machines:
        since = entered.get(machine.name, -math.inf)
        later = {name for name, at in revoked.items() if name != machine.name and at > since}
        if machine.problem and since and later:
            names.append(machine.name)
            managers |= later
    return UNKNOWN.format(", ".join(names), ", ".join(sorted(managers))) if names else ""


def plan_swarm(machines: Sequence[SwarmMachine], chosen: Collection[str]) -> SwarmPlan:
    """Returns how the chosen machines form the swarm or join it. Raises SwarmRefusedError if they cannot."""
    wanted = [machine for machine in machines if machine.name in chosen or machine.is_member]
    if missing := sorted(set(chosen) - {machine.name for machine in machines}):
        raise SwarmRefusedError(f"No machine of this name can be chosen: {', '.join(name[:40] for name in missing)}.")
    if len(wanted) < 2:
        raise SwarmRefusedError("Choose at least two machines.")
    if len(wanted) > MAX_MEMBERS:
        raise SwarmRefusedError(f"Choose at most {MAX_MEMBERS} machines: each is a manager of the swarm.")
    for machine in wanted:
        if machine.refusal:
            raise SwarmRefusedError(f"{machine.name}: {machine.refusal}")
    if len({machine.swarm.cluster for machine in wanted if machine.is_member}) > 1:
        raise SwarmRefusedError(DIVIDED)
    members = [machine.name for machine in wanted if machine.is_member]
    others = [machine.name for machine in wanted if not machine.is_member]
    if not others:
        raise SwarmRefusedError("All of these machines are already in the swarm.")
    first, *joining = [*members[:1], *others]
    addresses = {machine.name: _address(machine, wanted) for machine in wanted}
    return SwarmPlan(first, tuple(joining), addresses, is_new=not members)


def _address(machine: SwarmMachine, others: Sequence[SwarmMachine]) -> str:
    """Returns the IPv4 address at which all ``others`` reach the machine. Raises SwarmRefusedError if it has no such
    address."""
    clients = machine_clients(MachineClient(other.name, other.network) for other in others if other is not machine)
    obstacles: list[str] = []
    for address in _addresses(machine):
        obstacle = next(filter(None, (find_obstacle(client, address) for client in clients)), "")
        if not obstacle:
            return address
        obstacles.append(obstacle)
    reason = obstacles[0] if obstacles else "its interfaces have none"
    raise SwarmRefusedError(f"No IPv4 address of {machine.name} can be reached from all other machines: {reason}.")


def _addresses(machine: SwarmMachine) -> list[str]:
    if machine.is_member:
        return [machine.swarm.address]
    links = own_links(machine.network) if machine.network is not None else []
    return [address for link in links for address in global_addresses(link, Family.INET)]
