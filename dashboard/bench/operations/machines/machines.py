"""``machines``: three machines with different engines join an installation over a LAN, and hold the private hosts of
training sessions.

Each machine has network, mount and pid namespaces of its own, and a lab. Two web processes, PostgreSQL and NATS run
outside the machines, at an address on the same LAN.
"""

import os

import psutil

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.operations.machines.browser_tour import BrowserTour
from dashboard.bench.operations.machines.installation import MachinesInstallation, machines_installation
from dashboard.bench.operations.machines.training_class import TrainingClass
from dashboard.bench.statistics import Figure, Promise, Result, at_most, figure
from dashboard.bench.training.private_hosts import until_prepared

LIMIT_S = 1500.0
#: Numbers of participants: of the class whose hosts must serve in time, of the only class with ``--quick``, and the
#: largest number of the class that is as large as memory allows.
CLASS, QUICK_CLASS, MAX_CLASS = 60, 6, 300
#: The promised seconds until all hosts of the class serve, and until all hosts of the largest class are ready.
SERVE_S = UP_S = 60.0
SEEN_S, REMOVED_S = 3.0, 30.0
#: Memory that is kept free for other programs; and the factor by which a host may take more memory than in the first
#: class.
KEPT_MB, MARGIN = 3072, 1.25
#: The largest memory of a host with its container, measured with ``class-hosts``.
HOST_MB = 120


async def benchmark(run: BenchmarkRun) -> Result:
    """Lets the machines join the installation, and measures a training session on them while a browser tours the pages.
    Then measures the largest session for which there is memory."""
    figures: list[Figure] = []
    async with machines_installation(run) as installation:
        notes = list(installation.notes)
        count = QUICK_CLASS if run.quick else CLASS
        own, host_mb = await _measure_class(run, installation, count, HOST_MB, notes, first=True)
        figures += own
        if not run.quick:
            host_mb *= MARGIN
            count = min(MAX_CLASS, int((_available_mb() - KEPT_MB) / host_mb))
            if count < MAX_CLASS:
                notes.append(f"Memory holds {count} hosts of {host_mb:.0f} MB, {KEPT_MB} MB stay free.")
            figures += (await _measure_class(run, installation, count, host_mb, notes))[0]
        seen = figure(
            "until a lab is shown on both pages", "s", installation.seen_s, percent=100, promise=at_most(SEEN_S)
        )
    return Result(
        "machines",
        f"{len(installation.machines)} machines have joined: training sessions with private hosts on all of them",
        f"a lab is shown within {SEEN_S:g} s; {CLASS} hosts serve within {SERVE_S:g} s; {MAX_CLASS} hosts, or as many "
        f"as memory holds, are ready within {UP_S:g} s",
        (seen, *figures),
        tuple(notes),
    )


def _available_mb() -> int:
    return int(psutil.virtual_memory().available) >> 20


async def _measure_class(
    run: BenchmarkRun,
    installation: MachinesInstallation,
    count: int,
    host_mb: float,
    notes: list[str],
    *,
    first: bool = False,
) -> tuple[list[Figure], float]:
    """Measures a session with ``count`` participants, from the request for the hosts to their removal.

    If ``first`` is true, participants work as soon as their hosts are ready, and a browser tours the pages. Otherwise
    they work once all hosts are ready. Returns the figures, and the measured memory per host in MB. Adds notes to
    ``notes``. Raises BenchmarkError if there is not enough memory for hosts of ``host_mb`` each.
    """
    free_mb = _available_mb()
    if free_mb < count * host_mb + KEPT_MB:
        raise BenchmarkError(f"{count} hosts need {count * host_mb + KEPT_MB:.0f} MB, and {free_mb} MB are free")
    load = os.getloadavg()[0]
    run.say(f"{count} participants join")
    session = await TrainingClass.open(installation, count)
    prepared_s = await until_prepared(*(one.machine.folder / "cache" for one in installation.machines.values()))
    run.say(f"all {count} open the step at the same time")
    ready_s, served_s = await session.start(together=not first)
    taken_mb = (free_mb - _available_mb()) / count
    spread = session.by_machine()
    if spread.total() != count:
        raise BenchmarkError(f"the machines hold {spread.total()} hosts of {count}")
    held = ", ".join(f"{name} {number}" for name, number in sorted(spread.items()))
    run.say(f"ready after {ready_s:.1f} s, all serve after {served_s:.1f} s ({held}); {taken_mb:.0f} MB for each")
    notes.append(f"{count} hosts: {held}; MemAvailable fell by {taken_mb:.0f} MB for each; load before {load:.2f}.")
    notes.append(
        f"{count} hosts: the machines made their templates in {prepared_s:.1f} s, before a host was requested."
    )
    if first:
        for step in await BrowserTour(installation, session).walk():
            run.say(step)
            notes.append(f"In the browser, with {count} hosts: {step}.")
    removed_s = await session.close()
    run.say(f"removed after {removed_s:.1f} s")

    def named(name: str, seconds: float, promise: Promise | None = None) -> Figure:
        return figure(f"{count} hosts on {len(spread)} machines: {name}", "s", [seconds], promise=promise)

    return [
        named("all are ready", ready_s, None if first else at_most(UP_S)),
        named("all serve, and their checks are passed", served_s, at_most(SERVE_S) if first else None),
        named("all removed after the session's end", removed_s, at_most(REMOVED_S)),
    ], taken_mb
