"""Times over time: what is drawn without a script, and the figures beside it."""

from __future__ import annotations

from dashboard.core import over_time
from tests.core.report_builders import light, make_run


def test_a_failed_block_leaves_a_gap_and_is_counted() -> None:
    run = make_run()
    measurement, blocks = run.measurement, [light(one) for one in run.blocks]
    key = blocks[0]["series"]
    blocks[0] |= {"error": "The server closed the connection.", "n": 3}
    columns = over_time.align_blocks(measurement, blocks)
    times = next(one for one in columns.series if one.key == key)
    assert times.p50[0] is None
    assert None not in times.p50[1:]
    counted = next(one for one in over_time.count_blocks(measurement, blocks) if one.key == key)
    assert (counted.count, counted.failed) == (30, 1)


def test_a_long_run_is_thinned_out_before_it_is_drawn() -> None:
    x = tuple(number / 4 for number in range(5000))
    line = over_time.Times("a", "a", "host", "", tuple(20.0 for _ in x), tuple(60.0 for _ in x))
    chart = over_time.draw_times(x, [line])
    assert len(chart.lines[0].points.split()) <= over_time.MOST_POINTS
