"""dashboard.latency.runner, in separate namespaces."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path as FilePath
from typing import Any

import psutil
import pytest

from dashboard.core.measurements import verdicts
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.histogram import merge_histograms
from dashboard.core.measurements.measurement import Block, Options, Probe, Stop
from dashboard.core.measurements.schedule import MAX_CONNECTIONS, ROUNDS_WANTED
from dashboard.latency.children import Child
from dashboard.latency.process import CORE_SLEEP
from dashboard.latency.runner import Progress, run_measurement
from tests.latency.conftest import Lab, helpers
from tests.support.polling import eventually

#: The error of a block whose load stream got no core, because other tests use them all.
NO_LOAD = "The load stream did not arrive."


@pytest.mark.parametrize("probe", [Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR, Probe.TCP_STREAM])
async def test_each_probe_gives_blocks_with_figures(lab: Lab, probe: Probe) -> None:
    series = lab.series(probe, address="127.0.0.1"), lab.series(probe, "b", address="10.77.0.2")
    for seconds in (0.5, 3.0, 12.0):
        ended = await lab.run(*series, seconds=seconds)
        assert ended.stopped is Stop.TIME
        assert f"{seconds:g} s is up" in ended.reason
        if lab.of("b"):
            break  # on a busy machine half a second may be over before each series has had its turn
    assert not ended.refused
    assert {one.error for one in lab.told} == {""}
    assert lab.of("a")
    assert lab.of("b")
    for one in lab.told:
        assert one.n > 0
        assert 0 < one.p50_us <= one.p90_us <= one.p99_us <= one.p999_us <= one.max_us
        assert one.center_us > 0
        assert merge_histograms([one.histogram])
        assert (one.bytes_per_s is not None) is (probe is Probe.TCP_STREAM)


async def test_rounds_hold_every_series_once_and_pair_them(lab: Lab) -> None:
    for seconds in (1.0, 3.0, 12.0):
        lab.told.clear()
        ended = await lab.run(*(lab.series(Probe.TCP_RR, key) for key in "abc"), seconds=seconds)
        if ended.rounds > 2:
            break  # on a busy machine a round takes longer
    rounds = [{one.series for one in lab.told if one.round == number} for number in range(ended.rounds)]
    assert rounds
    assert all(one == {"a", "b", "c"} for one in rounds)
    assert len({tuple(one.series for one in lab.told if one.round == number) for number in range(ended.rounds)}) > 1


async def test_a_run_ends_before_it_has_more_blocks_than_a_report_may_have(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "MAX_BLOCKS", 5)
    ended = await lab.run(lab.series(Probe.TCP_RR), lab.series(Probe.TCP_RR, "b"), seconds=30.0)
    assert (ended.stopped, len(lab.told)) == (Stop.TIME, 4)
    assert ended.reason == "Another round would exceed 20,000 blocks, the limit of a report."


async def test_a_run_ends_when_the_interval_is_as_narrow_as_asked(lab: Lab) -> None:
    ended = await lab.run(
        lab.series(Probe.TCP_RR), lab.series(Probe.TCP_RR, "b"), seconds=8.0, width_us=5000.0, rate=500.0
    )
    assert ended.stopped is Stop.NARROW
    assert ended.reason == "Every interval is at most 5000 µs wide."
    assert ended.elapsed_s < 8


async def test_under_load_a_stream_runs_beside_the_requests(lab: Lab) -> None:
    for seconds in (0.6, 3.0):
        lab.told.clear()
        before = _bytes_received(lab)
        await lab.run(lab.series(Probe.TCP_RR), seconds=seconds, under_load=True)
        received = _bytes_received(lab) - before
        if received > 10_000_000:
            break  # on a busy machine the stream, whose processes have no priority, is slow
    assert all(one.n and not one.error for one in lab.told)
    requests = sum(one.n for one in lab.told) * 64
    assert requests
    assert received > 10_000_000 > requests


async def test_a_responder_that_cannot_take_the_stream_fails_the_block(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner does not wait for a second answer, after which it would start all processes again."""
    ask = Child.ask
    pids: set[int] = set()

    async def refuse(child: Child, *, within_s: float = 5.0, **command: Any) -> dict[str, Any]:
        pids.add(child.pid)
        if command["do"] == "sink":
            return {"error": "No route to host"}
        return await ask(child, within_s=within_s, **command)

    monkeypatch.setattr(Child, "ask", refuse)
    ended = await lab.run(lab.series(Probe.TCP_RR), seconds=30.0, under_load=True)
    assert ended.stopped is Stop.FAILED
    assert {one.error for one in lab.told} == {"The responder cannot accept the load stream: No route to host."}
    assert len(pids) == 1, "only the responder was asked, and no second one started"


async def test_all_helpers_of_an_ordinary_run_are_ordinary_processes(lab: Lab) -> None:
    found: set[tuple[str, int, bool]] = set()

    def look(_block: Block) -> None:
        for one in helpers():
            try:
                held = any(FilePath(f"/proc/{one.pid}/fd/{fd}").readlink() == CORE_SLEEP for fd in _fds(one.pid))
                policy, command = os.sched_getscheduler(one.pid), one.cmdline()
            except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                continue  # it has ended; psutil's ZombieProcess is a NoSuchProcess
            if command:  # a process that is ending has none
                found.add((command[3].partition("latency.")[2].split()[0], policy, held))

    options = {"seconds": 0.6, "under_load": True, "conditions": Conditions.ORDINARY}
    ended = await lab.run(lab.series(Probe.TCP_RR), on_block=look, **options)
    assert ended.stopped is Stop.TIME
    assert {one.error for one in lab.told} <= {"", NO_LOAD}
    assert {name for name, _policy, _held in found} == {"client", "responder"}
    assert {(policy, held) for _name, policy, held in found} == {
        (os.SCHED_OTHER, False),
        (os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, False),  # the client of the load has reset its priority
    }


def _fds(pid: int) -> list[str]:
    return [one.name for one in FilePath(f"/proc/{pid}/fd").iterdir()]


def _bytes_received(lab: Lab) -> int:
    return int(lab.far.json("-s", "link", "show", "dev", "eth0")[0]["stats64"]["rx"]["bytes"])


MISBEHAVES = {
    "close": "10.77.0.2",
    "reset": "reset the connection",
    "short": "closed the connection after 10 of 64 bytes",
    "never": "No answer from 10.77.0.2",
}


async def test_servers_that_misbehave_are_reported_in_sentences_and_other_series_continue(lab: Lab) -> None:
    bad = [
        lab.series(Probe.TCP_RR, what, port=lab.rogue(what), server_port=7070 + number, fixed=True)
        for number, what in enumerate(MISBEHAVES)
    ]
    for seconds in (5.0, 15.0):
        lab.told.clear()
        ended = await lab.run(*bad, lab.series(Probe.TCP_RR), seconds=seconds, rate=500.0, timeout_s=0.3)
        if len(ended.refused) == len(bad):
            break  # on a busy machine a block takes longer
    assert ended.stopped is Stop.TIME
    for what, words in MISBEHAVES.items():
        assert all(words in one.error for one in lab.of(what))
        assert len(lab.of(what)) == 3
        assert ended.refused[what].startswith("Abandoned after 3 failed blocks in a row: ")
    good = lab.of("a")
    assert {one.error for one in good} == {""}
    assert len(good) > 3


async def test_a_path_without_a_listener_is_abandoned(lab: Lab) -> None:
    ended = await lab.run(lab.series(Probe.HTTP, port=81), seconds=20.0)
    assert ended.stopped is Stop.FAILED
    assert "10.77.0.2:81 refused the connection: nothing listens there." in ended.reason


async def test_a_filtered_port_is_given_up_after_its_time(lab: Lab) -> None:
    ended = await lab.run(
        lab.series(Probe.HTTP, port=80, address="10.77.0.99"), seconds=20.0, rate=500.0, timeout_s=0.3
    )
    assert ended.stopped is Stop.FAILED
    assert "10.77.0.99:80" in ended.reason


async def test_a_port_that_is_taken_is_named(lab: Lab) -> None:
    port = lab.rogue("http")
    ended = await lab.run(lab.series(Probe.TCP_RR, "bad", server_port=port, port=port, fixed=True), seconds=20.0)
    assert ended.stopped is Stop.FAILED
    assert ended.refused["bad"] == (f"The responder cannot listen on port {port}/tcp of far: Address already in use.")


async def test_a_rate_that_a_path_cannot_sustain_is_reported(lab: Lab) -> None:
    await lab.run(lab.series(Probe.TCP_CRR), rate=90_000.0, seconds=1.0)
    assert lab.told
    assert all("cannot keep up with 90,000 requests per second" in one.note for one in lab.told)


async def test_a_longer_run_does_not_open_more_connections(lab: Lab) -> None:
    ended = await lab.run(lab.series(Probe.TCP_CRR), seconds=4.0)
    assert ended.stopped is Stop.TIME
    # Without the wait between rounds, there are about twice as many.
    assert 0 < ended.rounds <= ROUNDS_WANTED + 1
    assert sum(one.n for one in lab.told) <= MAX_CONNECTIONS * (ROUNDS_WANTED + 1) / ROUNDS_WANTED


async def test_a_server_that_is_too_slow_for_a_rate_is_measured_with_its_queue(lab: Lab) -> None:
    ended = await lab.run(lab.series(Probe.HTTP, port=lab.rogue("slow")), rate=50.0, seconds=2.0, timeout_s=1.0)
    assert (ended.stopped, ended.refused) == (Stop.TIME, {})
    assert lab.told
    for block in lab.told:
        assert block.counts
        assert 1 < block.n < 20
        assert block.note.endswith("queueing, and the last requests of the block were not sent.")


async def test_a_server_that_closes_after_each_answer_is_noted(lab: Lab) -> None:
    port = lab.rogue("once")
    for seconds in (0.5, 3.0, 12.0):
        lab.told.clear()
        await lab.run(lab.series(Probe.HTTP, port=port), seconds=seconds)
        if any(one.n > 1 for one in lab.told):
            break  # on a busy machine a block of the shortest run has one request
    assert {one.error for one in lab.told} == {""}
    assert all(one.reconnects == one.n for one in lab.told)
    several = [one for one in lab.told if one.n > 1]
    assert several
    assert all("closes the connection after each answer" in one.note for one in several)


async def test_a_container_that_stops_in_the_middle_leaves_the_rest_of_the_run(lab: Lab) -> None:
    def cut(block: Block) -> None:
        if block.round == 2 and block.series == "far":
            lab.near.ip("link", "delete", "veth0")

    far, lo = lab.series(Probe.TCP_RR, "far"), lab.series(Probe.TCP_RR, "lo", address="127.0.0.1")
    ended = await lab.run(far, lo, seconds=3.0, rate=500.0, on_block=cut)
    assert ended.stopped is Stop.TIME
    assert "No route to 10.77.0.2" in ended.refused["far"]
    assert {one.error for one in lab.of("lo")} == {""}
    assert len([one for one in lab.of("far") if one.counts]) == 3


@pytest.mark.parametrize("name", ["client", "responder"])
async def test_a_helper_that_is_killed_costs_one_block(lab: Lab, name: str) -> None:
    killed: list[int] = []

    def kill(block: Block) -> None:
        if block.round == 1 and block.series == "a" and not killed:
            killed.extend(one.pid for one in helpers() if f"latency.{name}" in " ".join(one.cmdline()))
            os.kill(killed[0], signal.SIGKILL)

    both = lab.series(Probe.TCP_RR), lab.series(Probe.TCP_RR, "b")
    for seconds in (2.0, 8.0):
        lab.told.clear()
        killed.clear()
        ended = await lab.run(*both, seconds=seconds, rate=500.0, on_block=kill)
        if killed and not lab.told[-1].error:
            break  # on a busy machine the time may be over before the processes have started again
    assert ended.stopped is Stop.TIME
    errors = [one.error for one in lab.told if one.error]
    assert errors == [f"The {name} process was killed by signal 9."]
    assert lab.told[-1].error == ""


async def test_helpers_that_are_killed_again_and_again_end_the_run(lab: Lab) -> None:
    def kill(_block: Block) -> None:
        for one in helpers():
            one.kill()

    ended = await lab.run(
        lab.series(Probe.TCP_RR), lab.series(Probe.TCP_RR, "b"), seconds=20.0, rate=500.0, on_block=kill
    )
    assert ended.stopped is Stop.FAILED
    assert ended.elapsed_s < 20
    assert len([one for one in lab.told if one.counts]) >= 1


async def test_cancelling_leaves_no_process_and_keeps_every_reported_block(lab: Lab) -> None:
    task = asyncio.create_task(lab.run(lab.series(Probe.TCP_RR), seconds=60.0, under_load=True))
    await eventually(lambda: len(lab.told) >= 3)
    assert helpers()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not helpers()
    assert all(one.counts or one.error == NO_LOAD for one in lab.told)


async def test_cancelling_keeps_why_series_were_abandoned(lab: Lab) -> None:
    port = lab.rogue("http")
    bad = lab.series(Probe.TCP_RR, "bad", server_port=port, port=port, fixed=True)
    task = asyncio.create_task(lab.run(bad, lab.series(Probe.TCP_RR), seconds=60.0))
    await eventually(lambda: lab.told)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lab.refused == {"bad": f"The responder cannot listen on port {port}/tcp of far: Address already in use."}


async def test_an_error_of_the_caller_ends_the_run(lab: Lab) -> None:
    def full(_block: Block) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await lab.run(lab.series(Probe.TCP_RR), on_block=full)
    assert not helpers()


async def test_progress_has_the_remaining_time(lab: Lab) -> None:
    seen: list[Progress] = []

    async def keep(block: Block) -> None:
        lab.told.append(block)

    await run_measurement(
        [lab.series(Probe.TCP_RR)],
        lab.namespaces,
        Options(seconds=0.5),
        seed=1,
        on_block=keep,
        on_progress=seen.append,
    )
    assert len(seen) == len(lab.told)
    # On a busy machine a block may end long after the time is up.
    assert all(one.remaining_s == pytest.approx(max(0.0, 0.5 - one.elapsed_s), abs=0.2) for one in seen)


async def test_without_series_there_is_nothing_to_measure(lab: Lab) -> None:
    ended = await lab.run()
    assert (ended.stopped, ended.reason) == (Stop.FAILED, "There is no path to measure.")


def test_no_wall_clock_is_read() -> None:
    """A step of the wall clock by an hour changes nothing, because no code reads it."""
    folder = FilePath(__file__).resolve().parents[2] / "dashboard" / "latency"
    for source in folder.glob("*.py"):
        text = source.read_text()
        assert "time.time(" not in text
        assert "datetime" not in text
        assert "monotonic" not in text
