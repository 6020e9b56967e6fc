"""Real runs detect differences of microseconds, and stalls. They run alone:
tests/support/workers.py."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.histogram import cumulative_shares, merge_histograms
from dashboard.core.measurements.measurement import Block, Probe
from dashboard.core.measurements.verdicts import Faster, Slower, judge_blocks
from tests.latency.conftest import Lab

pytestmark = pytest.mark.slow


async def test_a_responder_that_waits_5_us_longer_is_called_slower(lab: Lab) -> None:
    await lab.run(lab.series(Probe.TCP_RR), lab.series(Probe.TCP_RR, "b", 5000), seconds=4.0)
    judged = judge_blocks(lab.of("a"), lab.of("b"))
    assert isinstance(judged.verdict, Slower), judged


async def test_a_responder_that_waits_2_us_less_is_never_called_slower(lab: Lab) -> None:
    await lab.run(lab.series(Probe.UDP_RR, "a", 2000), lab.series(Probe.UDP_RR, "b"), seconds=4.0)
    judged = judge_blocks(lab.of("a"), lab.of("b"))
    assert not isinstance(judged.verdict, Slower), judged
    assert isinstance(judged.verdict, Faster) or judged.delta_us is not None


async def test_at_a_fixed_rate_a_stalled_server_shows_in_the_tail(lab: Lab) -> None:
    port = lab.rogue("stall")
    series = lab.series(Probe.HTTP, port=port)
    await lab.run(series, seconds=2.0, rate=1000.0)
    late_at_rate = _share_above(lab.told, 30_000)
    lab.told.clear()
    await lab.run(series, seconds=2.0)
    late_at_once = _share_above(lab.told, 30_000)
    # The server stalls for 100 ms every half second. In a closed loop that is one slow answer among thousands; at a
    # fixed rate all requests that are due in the meantime wait, too.
    assert late_at_once < 0.005
    assert late_at_rate > 0.02


def _share_above(blocks: list[Block], limit_us: float) -> float:
    whole = merge_histograms(one.histogram for one in blocks)
    below = [share for time_us, share in cumulative_shares(whole, 100_000) if time_us <= limit_us]
    return 1 - max(below, default=0.0)
