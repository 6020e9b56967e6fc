"""Simulates the placement of 10,000 groups on 100 machines, and the loss of one machine."""

import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboard.core.machines.placement import Demand, MachineOffer, Placement, Resources, place

MACHINES, GROUPS, SESSIONS = 100, 10_000, 400
#: The machines have three sizes, the hosts as well.
MACHINES_MB = (8_192, 16_384, 32_768)
HOSTS_MB = (80, 128, 256)
SEED = 18


@dataclass(frozen=True, slots=True)
class Simulation:
    """The result of a simulation, in which one machine is lost after the first placement.

    ``gone`` is the name of the lost machine. ``held`` are the groups that had hosts there. ``moved`` are the groups
    that have another machine, or none, after the loss. ``fills`` and ``fills_after`` are how full each machine is
    before and after the loss (``fills_of``). ``refused`` is the number of groups that the placement before or after the
    loss refused. ``machines_per_session`` is a mean. ``place_s`` is the processor time of the first placement in
    seconds.
    """

    gone: str
    refused: int
    fills: tuple[float, ...]
    fills_after: tuple[float, ...]
    held: frozenset[str]
    moved: frozenset[str]
    machines_per_session: float
    place_s: float


def with_machines(demands: Iterable[Demand], placement: Placement) -> list[Demand]:
    """Returns the demands, each with the machine to which the placement assigned it."""
    return [replace(demand, machine=placement.machines.get(demand.key)) for demand in demands]


def fills_of(machines: Iterable[MachineOffer], demands: Iterable[Demand]) -> tuple[float, ...]:
    """Returns how full each machine is (1 is full). This is the share of its memory, its pids or its hosts that the
    demands placed on it use, whichever is largest. Adds the demands up itself, because the sums of ``place`` are being
    tested."""
    memory_mb, pids, hosts = Counter[str](), Counter[str](), Counter[str]()
    for demand in demands:
        machine = demand.machine or ""
        memory_mb[machine] += demand.needs.memory_mb
        pids[machine] += demand.needs.pids
        hosts[machine] += demand.needs.hosts
    return tuple(
        max(
            memory_mb[machine.name] / machine.offers.memory_mb,
            pids[machine.name] / machine.offers.pids,
            hosts[machine.name] / machine.offers.hosts,
        )
        for machine in machines
    )


def simulate(seed: int = SEED) -> Simulation:
    """Places all groups in a random order, removes one machine, and places the groups of that machine again."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    machines = [
        MachineOffer(f"m{number:03}", Resources(MACHINES_MB[number % len(MACHINES_MB)], 120_000, 400))
        for number in range(MACHINES)
    ]
    demands = [
        Demand(f"{number:05}", Resources(chance.choice(HOSTS_MB), 256), f"s{chance.randrange(SESSIONS)}")
        for number in range(GROUPS)
    ]
    started = time.process_time()
    before = place(machines, demands)
    placed_at = time.process_time()
    gone = chance.choice(machines).name
    left = [machine for machine in machines if machine.name != gone]
    demands = with_machines(demands, before)
    after = place(left, demands)
    return Simulation(
        gone,
        len(before.refused.keys() | after.refused.keys()),
        fills_of(machines, demands),
        fills_of(left, with_machines(demands, after)),
        frozenset(key for key, machine in before.machines.items() if machine == gone),
        frozenset(key for key, machine in before.machines.items() if machine != after.machines.get(key)),
        len({(demand.affinity, demand.machine) for demand in demands}) / SESSIONS,
        placed_at - started,
    )
