"""Computes how many private hosts fit on a machine; defines the limits of a host and the queue for hosts.

Hosts are overcommitted. Limits are maximums, so each host counts with a quarter of its limits, but at least with what
an idle engine needs. The kernel enforces the limits: a host that uses all of its memory takes none from another.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.core.machines.placement import Resources

#: The engine's share of a host, measured: dockerd and containerd use 43 MB when idle, each shim 4 MB.
ENGINE_MB = 96
#: Threads count as pids: 12 in each of dockerd, containerd and every shim, 6 in a docker-proxy.
ENGINE_PIDS = 512
IDLE_MB = 80
IDLE_PIDS = 96
OVERCOMMIT = 4
#: Reserved for the machine and for Netmodes.
RESERVED_MB = 1024
RESERVED_PIDS = 4096
MAX_HOSTS = 200

MEMORY_MB = (192, 8192)
PIDS = (64, 4096)
CPUS = (0.25, 16.0)

#: What a group may run on its host at once.
MAX_EXPERIMENTS = 3
MAX_CONTAINERS = 12


@dataclass(frozen=True, slots=True)
class HostLimits:
    """The limits of a private host. ``memory_mb`` and ``cpus`` (cores) apply to the whole host, including its engine;
    ``pids`` (processes and threads) applies to its containers and shells."""

    memory_mb: int = 512
    pids: int = 512
    cpus: float = 1.0

    @property
    def workload_mb(self) -> int:
        """The memory for containers and shells. The rest is reserved for the engine, so that it always responds."""
        return self.memory_mb - ENGINE_MB

    @property
    def total_pids(self) -> int:
        """The maximum number of processes and threads of containers, shells and engine."""
        return self.pids + ENGINE_PIDS


def share(limits: HostLimits) -> Resources:
    """Returns the resources for which a host with these limits counts: a quarter of the limits, but at least what an
    idle engine needs."""
    return Resources(max(IDLE_MB, limits.memory_mb // OVERCOMMIT), max(IDLE_PIDS, limits.total_pids // OVERCOMMIT))


def offered(hosts: int) -> Resources:
    """Returns the resources of a machine on which this many hosts with the default limits fit."""
    one = share(HostLimits())
    return Resources(hosts * one.memory_mb, hosts * one.pids, MAX_HOSTS)


@dataclass(frozen=True, slots=True)
class Machine:
    """The resources of a machine. ``memory_mb`` is the memory that is available now, while hosts run; ``pids`` is the
    kernel's maximum."""

    memory_mb: int
    pids: int
    cores: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many private hosts run, and how many can be started in addition (``more``).

    ``limited_by`` names the scarcest resource. ``problem`` is the reason if no host can run, otherwise empty.
    ``isolated`` is true if root of a host is an ordinary user of the machine. ``machines`` is the number of machines
    that the figures cover. ``others`` counts the running hosts that belong to LANs and not to groups.
    """

    running: int
    more: int
    limited_by: str = ""
    problem: str = ""
    isolated: bool = False
    machines: int = 1
    others: int = 0

    @property
    def for_groups(self) -> int:
        """The number of hosts of groups: those that run, and those that still fit."""
        return self.total - self.others

    @property
    def total(self) -> int:
        """The number of hosts that run or still fit."""
        return self.running + self.more

    @property
    def sentence(self) -> str:
        """The capacity as a sentence, for an instructor who plans a session."""
        if self.problem:
            return self.problem
        running = f" {self.running} running now." if self.running else ""
        hold = "This machine can run" if self.machines == 1 else f"{self.machines} machines together can run"
        return f"{hold} about {self.total} hosts with these limits (limited by {self.limited_by}).{running}"


def capacity(machine: Machine, limits: HostLimits, running: int, problem: str = "") -> Capacity:
    """Computes how many hosts with these limits fit in addition to the ``running`` ones. ``problem`` is the reason if
    no host can run on this machine."""
    if problem:
        return Capacity(running, 0, problem=problem)
    memory_mb = machine.memory_mb - RESERVED_MB + running * IDLE_MB
    pids = machine.pids - RESERVED_PIDS
    needed = share(limits)
    fits = {
        "memory": memory_mb // needed.memory_mb - running,
        "process count": pids // needed.pids - running,
        "the maximum of Netmodes": MAX_HOSTS - running,
    }
    scarcest = min(fits, key=lambda name: fits[name])
    return Capacity(running, max(0, fits[scarcest]), scarcest)


def combine(capacities: Iterable[Capacity]) -> Capacity:
    """Adds up the capacity of the machines that can run hosts. If none can, returns the capacity of the first machine,
    with its ``problem``. Without machines, ``problem`` states that none takes hosts."""
    found = tuple(capacities)
    able = tuple(each for each in found if not each.problem) or found
    if len(able) == 1 or (able and able[0].problem):
        return able[0]
    if not able:
        return Capacity(0, 0, problem="No machine takes hosts now: none responds, or all are drained.")
    return Capacity(
        sum(each.running for each in able),
        sum(each.more for each in able),
        Counter(each.limited_by for each in able).most_common(1)[0][0],
        isolated=all(each.isolated for each in able),
        machines=len(able),
        others=sum(each.others for each in able),
    )


def refuse_hosts(available: Capacity, count: int) -> str:
    """Returns the reason why this machine cannot run ``count`` more hosts; empty if it can."""
    if available.problem or count <= available.more:
        return available.problem
    running = f", and {available.running} are running" if available.running else ""
    fit = f"{available.more} more private hosts (limited by {available.limited_by})"
    return f"This machine has capacity for {fit}{running}. Create fewer, or remove others first."


def parallel_starts(cores: int) -> int:
    """Returns how many hosts may start at the same time. A start takes 0.3 s and uses a core for 0.2 s of it. So two
    for each core keep the cores busy; more would only delay each other."""
    return 2 * max(1, cores)


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(number: int) -> str:
    """Formats an ordinal number: ``first`` … ``tenth``, then ``11th``, ``21st``."""
    if 1 <= number <= len(ORDINALS):
        return ORDINALS[number - 1]
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def describe_queue(position: int, running: int, *, full: bool) -> str:
    """Returns a sentence about a group's position in the queue and about when its host will start. ``position`` counts
    from 1. ``running`` is the number of running hosts. ``full`` is true if no other host fits now."""
    queued = f"You are {ordinal(position)} in the queue; "
    if not full:
        return queued + "your host starts in a few seconds."
    if not running:
        return queued + "this machine has no capacity for a host now. Yours starts when it has."
    taken = "the only host that this machine can run is" if running == 1 else f"all {running} hosts are"
    return f"{queued}{taken} in use. Yours starts when one is stopped."


def queue(waiting: Sequence[tuple[float, str]]) -> tuple[str, ...]:
    """Returns the waiting groups in order of arrival. ``waiting`` contains (time of arrival, group)."""
    return tuple(group for _, group in sorted(waiting))


def refuse_more(what: str, current: int, more: int, maximum: int) -> str | None:
    """Returns a sentence that refuses ``more`` objects if these and the ``current`` ones exceed ``maximum``, otherwise
    None. ``what`` names the objects, such as ``containers``."""
    if current + more <= maximum:
        return None
    return f"A group's host has at most {maximum} {what}, and {current} exist. Stop or remove one first."
