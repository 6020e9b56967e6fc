"""``storage``: measures the size of recorded samples in the database, with real blocks that are stored as a run stores
them."""

from collections.abc import Sequence

from django.db import connection

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.measurements.testbed import KINDS, open_testbed
from dashboard.bench.statistics import Result, at_most, figure, spread
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store

LIMIT_S = 300.0
SAMPLES = 10_000_000
MB = 1_000_000
PROMISE = at_most(5)
#: Runs as users start them, by name: paths, probes, seconds, promise.
RUNS = {
    "four paths, 10 s": (KINDS, (Probe.TCP_RR,), 10.0, PROMISE),
    "four paths, 30 s": (KINDS, (Probe.TCP_RR,), 30.0, PROMISE),
    "loopback and bridge, 10 s": (KINDS[:2], (Probe.TCP_RR,), 10.0, PROMISE),
    "four paths, tcp-rr and udp-rr, 5 s: the shortest blocks": (KINDS, (Probe.TCP_RR, Probe.UDP_RR), 5.0, None),
}


def used_bytes() -> int:
    """The size in bytes of those pages of the database that are in use."""
    with connection.cursor() as cursor:
        pages, free, size = (
            int(cursor.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def growth_of(experiment: str, series: Sequence[Series], blocks: Sequence[Block], options: Options, seed: int) -> int:
    """Stores a run with these series and blocks, as the lab does. Returns the number of bytes by which the database
    grew."""
    before = used_bytes()
    run = measurement_store.create_run(experiment, "storage", [each.probe for each in series], options, seed)
    measurement_store.begin_run(run, series, (), Environment(), {})
    for block in blocks:
        block_store.add_block(run, block)
    return used_bytes() - before


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures the size of each kind of run in ``RUNS``, in MB per ten million samples."""
    figures, notes = [], []
    async with open_testbed(run) as testbed:
        for name, (kinds, probes, seconds, promise) in RUNS.items():
            series, options = testbed.series(kinds, probes), Options(seconds=seconds)
            sizes, counting = [], []
            for number in range(1 if run.quick else 2):
                run.say(f"{name}, run {number + 1}")
                measured = await testbed.measure(series, options, number)
                blocks = [block for taken in measured.blocks.values() for block in taken]
                blocks.sort(key=lambda block: block.started_s)
                grown = await testbed.database.run(growth_of, testbed.experiment, series, blocks, options, number)
                sizes.append(grown / sum(block.n for block in blocks) * SAMPLES / MB)
                counting += [block for block in blocks if block.counts]
            figures.append(figure(name, "MB", sizes, promise=promise))
            notes.append(
                f"{name}: blocks of {spread([block.duration_s * 1e3 for block in counting])} ms with "
                f"{spread([block.n for block in counting])} samples; histograms of "
                f"{spread([len(block.histogram) for block in counting])} bytes."
            )
    return Result(
        "storage",
        "Storage: 10 million samples in the database",
        "less than 5 MB, including a histogram of three digits for every block",
        tuple(figures),
        ("Computed from the growth of the database by whole runs, indexes and all columns included.", *notes),
    )
