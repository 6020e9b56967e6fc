"""How many private hosts a machine holds, what each may use, and whose turn it is. No clock.

A host's limits are what it can take at most; a machine holds more of them than would fit if all took everything:
each is counted with a quarter of its limit, and with what an idle engine needs at least. The kernel enforces the
limits themselves, so that one host that takes all of its own never takes another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The engine's own part of a host, measured: dockerd and containerd idle at 43 MB, each shim at 4 MB.
ENGINE_MB = 96
#: Threads count as pids: 12 in each of dockerd, containerd and every shim, 6 in a docker-proxy.
ENGINE_PIDS = 512
IDLE_MB = 80
IDLE_PIDS = 96
OVERCOMMIT = 4
#: Left to the machine and to Netmodes itself.
RESERVED_MB = 1024
RESERVED_PIDS = 4096
MOST_HOSTS = 200

MEMORY_MB = (192, 8192)
PIDS = (64, 4096)
CPUS = (0.25, 16.0)

#: What a group may have on its host at once.
MOST_EXPERIMENTS = 3
MOST_CONTAINERS = 12


@dataclass(frozen=True, slots=True)
class HostLimits:
    """``memory_mb`` and ``cpus`` (cores) of the whole host with its engine; ``pids`` (processes and threads) of what
    people run in it."""

    memory_mb: int = 512
    pids: int = 512
    cpus: float = 1.0

    @property
    def people_mb(self) -> int:
        """What containers and shells may take: the engine keeps its own, so that it answers whatever they do."""
        return self.memory_mb - ENGINE_MB

    @property
    def whole_pids(self) -> int:
        """Of people and engine together."""
        return self.pids + ENGINE_PIDS


def limits_of(memory_mb: int, pids: int, cpus: float) -> HostLimits:
    """The limits as asked for. ValueError with a sentence if a host could not live in them."""
    for name, unit, value, (least, most) in (
        ("memory", " MB", memory_mb, MEMORY_MB),
        ("processes", "", pids, PIDS),
        ("processors", "", cpus, CPUS),
    ):
        if not least <= value <= most:
            raise ValueError(f"The {name} of a host must be from {least:g} to {most:g}{unit}, not {value:g}.")
    return HostLimits(memory_mb, pids, cpus)


@dataclass(frozen=True, slots=True)
class Machine:
    """``memory_mb`` that is free now, after what the running hosts have taken; ``pids`` that the kernel allows;
    ``cores``."""

    memory_mb: int
    pids: int
    cores: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many hosts run and how many more fit, with what limits them in words; ``problem`` is why none can be had."""

    running: int
    more: int
    limited_by: str = ""
    problem: str = ""

    @property
    def total(self) -> int:
        """Running and possible."""
        return self.running + self.more

    @property
    def sentence(self) -> str:
        """For whoever plans a class."""
        if self.problem:
            return self.problem
        so_far = f" {self.running} run now." if self.running else ""
        return f"This machine holds about {self.total} hosts with these limits ({self.limited_by} is scarce).{so_far}"

    def enough_for(self, people: int) -> str:
        """Empty if so many get a host at once, else what will happen."""
        if self.problem or people <= self.more:
            return self.problem
        return (
            f"Only {self.more} of {people} get a host at once; the others wait in a queue until one is free. "
            "Let teams share a host, or give each less memory."
        )


def capacity(machine: Machine, limits: HostLimits, running: int, problem: str = "") -> Capacity:
    """How many more hosts with these limits fit beside the ``running`` ones."""
    if problem:
        return Capacity(running, 0, problem=problem)
    memory_mb = machine.memory_mb - RESERVED_MB + running * IDLE_MB
    rooms = {
        "memory": memory_mb // max(IDLE_MB, limits.memory_mb // OVERCOMMIT) - running,
        "the number of processes": (machine.pids - RESERVED_PIDS) // max(IDLE_PIDS, limits.whole_pids // OVERCOMMIT)
        - running,
        "what Netmodes allows": MOST_HOSTS - running,
    }
    scarce = min(rooms, key=lambda name: rooms[name])
    return Capacity(running, max(0, rooms[scarce]), scarce)


def starters(cores: int) -> int:
    """How many hosts are started at the same time. Of the 1.4 s that a start takes dockerd waits one second until it
    asks its containerd again, and computes 0.25 s: four per core keep the cores busy, more only delay each other."""
    return 4 * max(1, cores)


ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def ordinal(number: int) -> str:
    """``first`` … ``tenth``, then ``11th``, ``21st``."""
    if 1 <= number <= len(ORDINALS):
        return ORDINALS[number - 1]
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def queue_sentence(place: int, running: int, *, full: bool) -> str:
    """What somebody is told who waits; ``place`` counts from 1."""
    where = f"You are {ordinal(place)} in the queue; "
    if not full:
        return where + "your host starts in a few seconds."
    if not running:
        return where + "this machine has no room for a host now. Yours starts when it has."
    taken = "the one host that this machine holds is" if running == 1 else f"all {running} hosts are"
    return f"{where}{taken} in use. Yours starts when one is stopped."


def queue(waiting: Sequence[tuple[float, str]]) -> tuple[str, ...]:
    """The groups that wait, (since, group), first come first served."""
    return tuple(group for _, group in sorted(waiting))


def too_many(what: str, there: int, more: int, most: int) -> str:
    """Empty if ``more`` fit beside those that are ``there``, else what to do."""
    if there + more <= most:
        return ""
    return f"A host of a class has at most {most} {what}, and {there} are there: remove one first."
