"""Queries of measured series over time."""

from collections import defaultdict
from urllib.parse import quote

from django.db.models import Count, Max

from dashboard.core.measurements.statistics import median
from dashboard.models import MeasurementBlock, MeasurementSeries


def history(signature: str) -> tuple[dict[str, object], ...]:
    """Returns the newest runs of the series with this signature, at most 500, ordered from oldest to newest.

    ``p50_us`` and ``p99_us`` are the medians of the p50 and p99 values of a run's blocks. ``n`` is the number of
    requests. Runs without a successful block are omitted. So are runs of training sessions, because their machine is
    not idle.
    """
    rows = (
        MeasurementSeries.objects.filter(signature=signature, run__group="")
        .select_related("run")
        .order_by("-run__created_at")[:500]
    )
    series = {row.pk: row for row in rows}
    figures = MeasurementBlock.objects.filter(series_id__in=series, error="", n__gt=0).values_list(
        "series_id", "p50_us", "p99_us", "n"
    )
    grouped: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for key, p50, p99, n in figures:
        grouped[key].append((p50, p99, n))
    points = [
        {
            "run_id": row.run_id,
            "url": f"/measurements/{row.run_id}/",
            "at": row.run.created_at,
            "p50_us": median([one[0] for one in grouped[key]]),
            "p99_us": median([one[1] for one in grouped[key]]),
            "n": sum(one[2] for one in grouped[key]),
            "title": row.run.title,
            "key": row.key,
        }
        for key, row in series.items()
        if grouped.get(key)
    ]
    return tuple(reversed(points))


def is_known(signature: str) -> bool:
    """Returns whether ``signatures`` contains this signature, also if no run of the series has a successful block."""
    return MeasurementSeries.objects.filter(signature=signature, run__group="").exists()


def signatures() -> tuple[dict[str, object], ...]:
    """Returns the signatures of all measured series, sorted. ``runs`` is the number of runs of a series.
    ``last_p50_us`` is the median p50 of the newest run, None if this run has no successful block. Runs of training
    sessions are ignored."""
    counted = (
        MeasurementSeries.objects.filter(run__group="")
        .values("signature")
        .annotate(runs=Count("run", distinct=True), newest=Max("pk"))
        .order_by("signature")
    )
    rows = list(counted)
    good = MeasurementBlock.objects.filter(series_id__in=[row["newest"] for row in rows], error="", n__gt=0)
    medians: dict[int, list[float]] = defaultdict(list)
    for series, p50 in good.values_list("series_id", "p50_us"):
        medians[series].append(p50)
    return tuple(
        {
            "signature": row["signature"],
            "runs": row["runs"],
            "last_p50_us": median(medians[row["newest"]]) if row["newest"] in medians else None,
            "url": f"/measurements/history/?signature={quote(row['signature'])}",
        }
        for row in rows
    )
