"""Measurements in the database: a run, its series, and every block once it is acknowledged."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import msgspec
from django.db import transaction

from dashboard.core.measurement import Block, Environment, Measurement, Options, Probe, Stop
from dashboard.core.path_kinds import Path
from dashboard.core.results import build_measurement
from dashboard.core.schedule import Series
from dashboard.lab.store import is_alive, this_process
from dashboard.models import MeasurementBlock, MeasurementRun, MeasurementSeries

RUNNING = "running"
FINISHED, CANCELLED, FAILED, INCOMPLETE = "finished", "cancelled", "failed", "incomplete"
_STATES = {Stop.NARROW: FINISHED, Stop.TIME: FINISHED, Stop.CANCELLED: CANCELLED, Stop.FAILED: FAILED}

#: A row keeps every field of a block but the key of its series.
BLOCK_FIELDS = tuple(one.name for one in fields(Block) if one.name != "series")

Missing = tuple[tuple[Path, Probe, str], ...]


@dataclass(frozen=True, slots=True)
class Described:
    """What a series row keeps of its path."""

    path: Path
    busy_wait_ns: int = 0


def signature_of(one: Series, modes: Mapping[str, str], options: Options) -> str:
    """What makes two series of different runs comparable: mode, path, probe, payload, rate and load."""
    rate = f"{options.rate:g}/s" if options.rate else "closed"
    load = "loaded" if options.under_load else "idle"
    mode = modes.get(one.path.server, one.path.server)
    return f"{mode} {one.path.name} {one.probe} {options.payload_of(one.probe)}B {rate} {load}"


def create_run(
    experiment: str | None,
    title: str,
    series: Sequence[Series],
    missing: Missing,
    probes: Sequence[Probe],
    options: Options,
    seed: int,
    environment: Environment,
    modes: Mapping[str, str],
) -> str:
    """Writes a run that is about to begin, with its series; returns its id."""
    with transaction.atomic():
        run = MeasurementRun.objects.create(
            experiment_id=experiment,
            title=title[:200],
            options=msgspec.json.encode(options).decode(),
            probes=" ".join(probes),
            seed=seed,
            state=RUNNING,
            driver=this_process(),
            started_at=time.time(),
            environment=msgspec.json.encode(environment).decode(),
            missing=msgspec.json.encode(missing).decode(),
        )
        MeasurementSeries.objects.bulk_create(
            MeasurementSeries(
                run=run,
                key=one.key,
                column=one.path.server,
                path=one.path.name,
                probe=str(one.probe),
                signature=signature_of(one, modes, options),
                described=msgspec.json.encode(Described(one.path, one.busy_wait_ns)).decode(),
            )
            for one in series
        )
    return str(run.pk)


def add_block(run: str, block: Block) -> None:
    """Acknowledges one block: afterwards it is never lost."""
    series = MeasurementSeries.objects.only("pk").get(run_id=run, key=block.series)
    MeasurementBlock.objects.create(series=series, **{name: getattr(block, name) for name in BLOCK_FIELDS})


def finish_run(
    run: str, stopped: Stop, reason: str, elapsed_s: float, environment: Environment, refused: Mapping[str, str]
) -> None:
    """Writes how a run ended."""
    MeasurementRun.objects.filter(pk=run).update(
        state=_STATES[stopped],
        stopped=str(stopped),
        stop_reason=reason,
        elapsed_s=elapsed_s,
        driver="",
        environment=msgspec.json.encode(environment).decode(),
        refused=msgspec.json.encode(dict(refused)).decode(),
    )


def want_cancelled(run: str) -> bool:
    """Asks for the end of a run; False if it does not run."""
    return MeasurementRun.objects.filter(pk=run, state=RUNNING).update(wanted=CANCELLED) == 1


def is_cancelled(run: str) -> bool:
    """Whether somebody asked for the end."""
    return MeasurementRun.objects.filter(pk=run, wanted=CANCELLED).exists()


def mark_incomplete() -> int:
    """Runs whose process has died are kept and marked; returns how many there were."""
    dead = [run.pk for run in MeasurementRun.objects.filter(state=RUNNING) if not is_alive(run.driver)]
    reason = "The process that measured ended before its time."
    return MeasurementRun.objects.filter(pk__in=dead).update(state=INCOMPLETE, driver="", stop_reason=reason)


def load_measurement(run: str) -> Measurement | None:
    """``measurement/1`` of a run, made anew from its blocks; None if there is no such run."""
    row = MeasurementRun.objects.filter(pk=run).first()
    if row is None:
        return None
    series, blocks = load_blocks(run)
    return build_measurement(
        series,
        blocks,
        msgspec.json.decode(row.environment or "{}", type=Environment),
        msgspec.json.decode(row.options, type=Options),
        seed=row.seed,
        missing=msgspec.json.decode(row.missing or "[]", type=Missing),
        refused=msgspec.json.decode(row.refused or "{}", type=dict[str, str]),
        started_at=row.created_at.isoformat(),
        elapsed_s=row.elapsed_s,
        stopped=Stop(row.stopped) if row.stopped else None,
        stop_reason=row.stop_reason,
    )


def load_blocks(run: str) -> tuple[tuple[Series, ...], dict[str, list[Block]]]:
    """The series of a run and their blocks by key, in the order of the rounds."""
    series = []
    keys = {}
    for row in MeasurementSeries.objects.filter(run_id=run).order_by("pk"):
        described = msgspec.json.decode(row.described, type=Described)
        series.append(Series(row.key, described.path, Probe(row.probe), described.busy_wait_ns))
        keys[row.pk] = row.key
    blocks: dict[str, list[Block]] = defaultdict(list)
    for values in (
        MeasurementBlock.objects.filter(series_id__in=keys).order_by("round").values("series_id", *BLOCK_FIELDS)
    ):
        key = keys[values.pop("series_id")]
        values["histogram"] = bytes(values["histogram"])
        blocks[key].append(Block(key, **values))
    return tuple(series), dict(blocks)


def prune(older_than_s: float) -> int:
    """Deletes runs that began longer ago; returns how many."""
    limit = time.time() - older_than_s
    count = MeasurementRun.objects.filter(started_at__lt=limit).exclude(state=RUNNING).count()
    MeasurementRun.objects.filter(started_at__lt=limit).exclude(state=RUNNING).delete()
    return count
