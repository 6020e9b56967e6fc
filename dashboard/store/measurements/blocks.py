"""Queries of the series and blocks of measurements."""

from collections import defaultdict
from dataclasses import dataclass, fields

import msgspec

from dashboard.core.measurements.measurement import Block, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.paths.model import Path
from dashboard.models import MeasurementBlock, MeasurementSeries

#: The fields of a block that are columns of its row: all except the key of the series.
BLOCK_FIELDS = tuple(field.name for field in fields(Block) if field.name != "series")


@dataclass(frozen=True, slots=True)
class Described:
    """The JSON value in ``MeasurementSeries.described``: the path, and how long the responder delays each answer."""

    path: Path
    busy_wait_ns: int = 0


def add_block(run: str, block: Block) -> None:
    """Stores one block in a transaction of its own. A repeated call has no effect."""
    series = MeasurementSeries.objects.only("pk").get(run_id=run, key=block.series)
    values = {name: getattr(block, name) for name in BLOCK_FIELDS}
    MeasurementBlock.objects.bulk_create([MeasurementBlock(series=series, **values)], ignore_conflicts=True)


def load_blocks(run: str) -> tuple[tuple[Series, ...], dict[str, list[Block]]]:
    """The series of a run, and its blocks by series key, in the order of their rounds."""
    series, keys = _series_of(run)
    blocks: dict[str, list[Block]] = defaultdict(list)
    rows = MeasurementBlock.objects.filter(series_id__in=keys).order_by("round")
    for values in rows.values("series_id", *BLOCK_FIELDS):
        key = keys[values.pop("series_id")]
        values["histogram"] = bytes(values["histogram"])
        blocks[key].append(Block(key, **values))
    return series, dict(blocks)


def _series_of(run: str) -> tuple[tuple[Series, ...], dict[int, str]]:
    series, keys = [], {}
    for row in MeasurementSeries.objects.filter(run_id=run).order_by("pk"):
        described = msgspec.json.decode(row.described, type=Described)
        series.append(Series(row.key, described.path, Probe(row.probe), described.busy_wait_ns))
        keys[row.pk] = row.key
    return tuple(series), keys


def light_blocks(run: str, after: int = 0) -> tuple[tuple[dict[str, object], ...], int]:
    """The blocks with row ids above ``after``, without histograms, for a chart. Also returns the newest row id, which
    is ``after`` if there are no such blocks."""
    names = ("pk", "series__key", "round", "started_s", "center_us", "p50_us", "p99_us", "n", "error")
    rows = list(MeasurementBlock.objects.filter(series__run_id=run, pk__gt=after).order_by("pk").values(*names))
    newest = max((row.pop("pk") for row in rows), default=after)
    return tuple({"series": row.pop("series__key"), **row} for row in rows), newest


def measured_s(run: str) -> float:
    """The seconds from the start of a run to the end of its newest block (0 without blocks), by a monotonic clock."""
    newest = MeasurementBlock.objects.filter(series__run_id=run).order_by("-pk").values_list("started_s", "duration_s")
    return sum(newest.first() or (0.0,))
