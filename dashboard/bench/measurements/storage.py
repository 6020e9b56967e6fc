"""What recorded samples cost in the database: real blocks, kept as a run keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from dashboard.bench.measurements.testbed import KINDS, Arena, Taken, arena
from dashboard.bench.statistics import Figure, Of, Promise, Result, figure, spread
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.paths.model import PathKind
from dashboard.store import measurements as measurement_store

LIMIT_S = 300.0
SAMPLES = 10_000_000
PROMISE = Promise(Of.VALUE, 5.0)
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """A run as people ask for it."""

    name: str
    kinds: tuple[PathKind, ...]
    probes: tuple[Probe, ...]
    seconds: float
    promised: bool = False


SHAPES = (
    Shape("four paths, 10 s", KINDS, (Probe.TCP_RR,), 10.0, promised=True),
    Shape("four paths, 30 s", KINDS, (Probe.TCP_RR,), 30.0, promised=True),
    Shape("loopback and bridge, 10 s", KINDS[:2], (Probe.TCP_RR,), 10.0, promised=True),
    Shape("four paths, tcp-rr and udp-rr, 5 s: the shortest blocks", KINDS, (Probe.TCP_RR, Probe.UDP_RR), 5.0),
)


def used_bytes() -> int:
    """Pages of the database that hold something."""
    with connection.cursor() as cursor:
        found = []
        for name in ("page_count", "freelist_count", "page_size"):
            cursor.execute(f"PRAGMA {name}")
            found.append(int(cursor.fetchone()[0]))
    pages, free, size = found
    return (pages - free) * size


def keep(experiment: str, series: Sequence[Series], blocks: Sequence[Block], options: Options, seed: int) -> int:
    """Writes a run as the lab does, and returns by how much the database grew."""
    before = used_bytes()
    run = measurement_store.create_run(experiment, "storage", [one.probe for one in series], options, seed)
    measurement_store.begin_run(run, series, (), Environment(), {})
    for block in blocks:
        measurement_store.add_block(run, block)
    return used_bytes() - before


async def _measure(place: Arena, shape: Shape, seed: int) -> tuple[Taken, float]:
    """A run of this shape and the MB that 10 million samples of it would take."""
    series = place.series(shape.kinds, shape.probes)
    options = Options(seconds=shape.seconds)
    taken = await place.measure(series, options, seed)
    blocks = sorted((one for found in taken.blocks.values() for one in found), key=lambda one: one.started_s)
    grown = await place.database.run(keep, place.experiment, series, blocks, options, seed)
    return taken, grown / sum(one.n for one in blocks) * SAMPLES / MB


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    figures: list[Figure] = []
    notes = []
    async with arena(folder / "lab") as place:
        for shape in SHAPES:
            costs, blocks = [], []
            for number in range(1 if quick else 2):
                say(f"storage: {shape.name}, run {number + 1}")
                taken, cost = await _measure(place, shape, number)
                costs.append(cost)
                blocks += [one for found in taken.blocks.values() for one in found if one.counts]
            figures.append(figure(shape.name, "MB", costs, promise=PROMISE if shape.promised else None))
            notes.append(
                f"{shape.name}: blocks of {spread([one.duration_s * 1e3 for one in blocks])} ms with "
                f"{spread([one.n for one in blocks])} samples; histograms of "
                f"{spread([len(one.histogram) for one in blocks])} bytes."
            )
    return Result(
        "storage",
        "Storage: 10 million samples in the database",
        "under 5 MB, histograms of three digits for every block included",
        tuple(figures),
        ("Reckoned from the growth of the database by whole runs, indexes and all columns included.", *notes),
    )
