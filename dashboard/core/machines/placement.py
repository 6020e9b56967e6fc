"""Chooses the machine for each private host. The result depends only on the arguments.

A host stays on its machine while the machine's lab is connected, so adding a machine moves no host. A host without such
a machine is placed on the emptiest machine that can take it.

Hosts of one session are kept together. A machine that already has hosts of the session is preferred to the emptiest one
if it has fewer than ``AFFINITY_HOSTS`` of them and is not much fuller (``AFFINITY_SLACK``).
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

#: How much fuller than the emptiest machine, as a share of its offer, a machine may become to keep a session together.
AFFINITY_SLACK = 0.1
#: Up to this number, hosts of one session are kept together on a machine; further ones go to other machines.
AFFINITY_HOSTS = 12


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that a machine offers to private hosts, or that private hosts need."""

    memory_mb: int
    pids: int
    hosts: int = 1


@dataclass(frozen=True, slots=True)
class MachineOffer:
    """A machine on which hosts can be placed. ``offers`` is the total of its resources for private hosts. ``present``
    is true if its lab is connected, ``draining`` if it takes no new hosts."""

    name: str
    offers: Resources
    labels: frozenset[str] = frozenset()
    draining: bool = False
    present: bool = True


@dataclass(frozen=True, slots=True)
class Demand:
    """A private host that needs a machine. ``affinity`` is the training session of the host, empty if it belongs to
    none. ``labels`` are the labels that the machine must have. ``machine`` is the machine on which the host is now,
    None if it is on none."""

    key: str
    needs: Resources
    affinity: str = ""
    labels: frozenset[str] = frozenset()
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """The result of ``place``, as two mappings from keys of hosts. ``machines`` has the machine of each placed host;
    ``refused`` has the reason for each host that no machine can take."""

    machines: Mapping[str, str]
    refused: Mapping[str, str]


@dataclass(slots=True)
class _Load:
    """The resources in use on one machine while demands are placed."""

    offer: MachineOffer
    memory_mb: int = 0
    pids: int = 0
    hosts: int = 0
    sessions: Counter[str] = field(default_factory=Counter)

    @property
    def rank(self) -> tuple[float, str]:
        """The sort key of machines: the emptiest one comes first."""
        return self.fill(), self.offer.name

    def fill(self, needs: Resources | None = None) -> float:
        """Returns how full the machine is: the share of its most used resource that is in use. If ``needs`` is given,
        these resources count as in use, too."""
        more = needs or Resources(0, 0, 0)
        offers = self.offer.offers
        return max(
            (self.memory_mb + more.memory_mb) / max(1, offers.memory_mb),
            (self.pids + more.pids) / max(1, offers.pids),
            (self.hosts + more.hosts) / max(1, offers.hosts),
        )

    def exhausted(self, needs: Resources) -> str:
        """Returns the name of a resource of which the machine has less left than ``needs`` requires; empty if the host
        fits."""
        offers = self.offer.offers
        if self.hosts + needs.hosts > offers.hosts:
            return "number of hosts"
        if self.memory_mb + needs.memory_mb > offers.memory_mb:
            return "memory"
        if self.pids + needs.pids > offers.pids:
            return "process count"
        return ""

    def add(self, demand: Demand) -> None:
        """Counts a host as placed on this machine: its needs are in use."""
        self.memory_mb += demand.needs.memory_mb
        self.pids += demand.needs.pids
        self.hosts += demand.needs.hosts
        self.sessions[demand.affinity] += 1


def place(machines: Iterable[MachineOffer], demands: Sequence[Demand]) -> Placement:
    """Chooses a machine for each of ``demands``. Hosts on a machine whose lab is connected stay there. The others are
    placed in the order of ``demands``."""
    loads = {machine.name: _Load(machine) for machine in machines}
    placed: dict[str, str] = {}
    waiting: list[Demand] = []
    for demand in demands:
        load = loads.get(demand.machine) if demand.machine is not None else None
        if load is None or not load.offer.present:
            waiting.append(demand)
        else:
            load.add(demand)
            placed[demand.key] = load.offer.name
    holders: dict[str, dict[str, _Load]] = {}
    for load in loads.values():
        for session in load.sessions:
            holders.setdefault(session, {})[load.offer.name] = load
    ranked = sorted(
        (load for load in loads.values() if load.offer.present and not load.offer.draining), key=lambda load: load.rank
    )
    refused: dict[str, str] = {}
    for demand in waiting:
        load = _choose(ranked, holders.get(demand.affinity, {}) if demand.affinity else {}, demand)
        if load is None:
            refused[demand.key] = _reason(loads.values(), demand)
            continue
        del ranked[bisect_left(ranked, load.rank, key=lambda each: each.rank)]
        load.add(demand)
        insort(ranked, load, key=lambda each: each.rank)
        holders.setdefault(demand.affinity, {})[load.offer.name] = load
        placed[demand.key] = load.offer.name
    return Placement(placed, refused)


def _takes(load: _Load, demand: Demand) -> bool:
    return demand.labels <= load.offer.labels and not load.exhausted(demand.needs)


def _choose(ranked: Sequence[_Load], holders: Mapping[str, _Load], demand: Demand) -> _Load | None:
    """Returns the machine for a host, or None if no machine can take it. ``ranked`` are the machines that take new
    hosts, the emptiest first. ``holders`` are all machines with hosts of the same session, by name."""
    emptiest = next((load for load in ranked if _takes(load, demand)), None)
    if emptiest is None:
        return None
    most = emptiest.fill() + AFFINITY_SLACK
    together = [
        load
        for load in holders.values()
        if load.offer.present
        and not load.offer.draining
        and load.sessions[demand.affinity] < AFFINITY_HOSTS
        and _takes(load, demand)
        and load.fill(demand.needs) <= most
    ]
    return min(together, key=lambda load: (-load.sessions[demand.affinity], load.rank), default=emptiest)


def _reason(loads: Iterable[_Load], demand: Demand) -> str:
    """Returns why no machine can take a host, and what to do."""
    present = [load for load in loads if load.offer.present]
    if not present:
        return "No lab is connected. Start the lab on a machine, or join another machine."
    labelled = [load for load in present if demand.labels <= load.offer.labels]
    if not labelled:
        wanted = ", ".join(sorted(demand.labels))
        return f"No connected machine has all of these labels: {wanted}. Give them to a machine, or join another one."
    active = [load for load in labelled if not load.offer.draining]
    if not active:
        names = ", ".join(sorted(load.offer.name for load in labelled))
        return (
            f"All machines that could hold the host are drained: {names}. Resume one of them, or join another machine."
        )
    scarce = Counter(load.exhausted(demand.needs) for load in active)
    resources = " and ".join(name for name, _count in sorted(scarce.items(), key=lambda item: (-item[1], item[0])))
    subject = "The only machine is full" if len(active) == 1 else f"All {len(active)} machines are full"
    return f"{subject} (limited by {resources}). The host starts when another one stops, or when a machine joins."
