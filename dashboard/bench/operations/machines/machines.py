"""``machines``: three machines with different engines join over a LAN, and hold the private hosts of a class.

Each machine has network, mount and pid namespaces of its own, and a lab. Two web processes, PostgreSQL and NATS are
another machine on the LAN."""

import os

import psutil

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.operations.machines.installation import MachinesInstallation, machines_installation
from dashboard.bench.operations.machines.training_class import TrainingClass
from dashboard.bench.statistics import Figure, Promise, Result, at_most, figure

LIMIT_S = 1200.0
#: The participants of each session, and the seconds within which the hosts of all must serve; None: no promise.
CLASSES: dict[int, float | None] = {60: 60.0, 120: None}
QUICK_CLASSES: dict[int, float | None] = {9: 60.0}
SEEN_S, REMOVED_S = 3.0, 30.0
#: Memory that is kept free for other programs.
KEPT_MB = 3072
#: What a host takes at most with its container, measured with ``class-hosts``.
HOST_MB = 120


async def benchmark(run: BenchmarkRun) -> Result:
    """The machines join; then one class after the other works on them."""
    figures: list[Figure] = []
    async with machines_installation(run) as installation:
        notes = [f"Engines: {', '.join(f'{name} {version}' for name, version in installation.engines.items())}."]
        notes += installation.notes
        for count, limit_s in (QUICK_CLASSES if run.quick else CLASSES).items():
            figures += await _measure_class(run, installation, count, limit_s, notes)
        seen = figure("a lab is on both pages", "s", installation.seen_s, percent=100, promise=at_most(SEEN_S))
    return Result(
        "machines",
        f"{len(installation.machines)} machines have joined: classes with private hosts on all of them",
        f"a lab is seen within {SEEN_S:g} s; 60 hosts serve within 60 s",
        (seen, *figures),
        tuple(notes),
    )


async def _measure_class(
    run: BenchmarkRun, installation: MachinesInstallation, count: int, limit_s: float | None, notes: list[str]
) -> list[Figure]:
    """A session with this number of participants, from the request of the hosts to their removal."""
    free_mb = psutil.virtual_memory().available >> 20
    if free_mb < count * HOST_MB + KEPT_MB:
        notes.append(f"{count} hosts were not started: only {free_mb} MB of memory were free.")
        return []
    load = os.getloadavg()[0]
    run.say(f"{count} participants join")
    session = await TrainingClass.open(installation, count)
    prepared_s = await session.until_prepared()
    run.say(f"all {count} open the step at the same time")
    ready_s, served_s = await session.start()
    taken_mb = (free_mb - (psutil.virtual_memory().available >> 20)) / count
    spread = session.by_machine()
    if spread.total() != count:
        raise BenchmarkError(f"the machines hold {spread.total()} hosts of {count}")
    removed_s = await session.close()
    held = ", ".join(f"{name} {number}" for name, number in sorted(spread.items()))
    run.say(f"ready after {ready_s:.1f} s, all serve after {served_s:.1f} s ({held}); removed after {removed_s:.1f} s")
    notes.append(f"{count} hosts: {held}; MemAvailable fell by {taken_mb:.0f} MB for each; load before {load:.2f}.")
    notes.append(
        f"{count} hosts: the machines made their templates in {prepared_s:.1f} s, before anyone asked for one."
    )

    def named(name: str, seconds: float, promise: Promise | None = None) -> Figure:
        return figure(f"{count} hosts on {len(spread)} machines: {name}", "s", [seconds], promise=promise)

    return [
        named("all are ready", ready_s),
        named("all serve, and their checks are passed", served_s, at_most(limit_s) if limit_s else None),
        named("all removed after the session's end", removed_s, at_most(REMOVED_S)),
    ]
