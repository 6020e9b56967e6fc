"""A firewall between client and server: requests get no response from the start or from some moment on, and the rest of
the run is kept."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from dashboard.core.measurements.measurement import Block, Probe, Stop
from dashboard.core.paths.model import PathKind
from tests.latency.conftest import Lab
from tests.netns.namespaces import Netns

SILENCE = "No answer from 10.77.0.2:7070 within the time limit: a firewall drops the packets, or the program hangs."
#: How long a request to a silent server waits: short, because each of three blocks waits so long.
SILENT_S = 0.3
#: By case: the namespace with the rule, the rule, and the client's error. Port 7070 is the server's.
FILTERS = {
    "dropped on arrival": ("far", "INPUT -p tcp --dport 7070 -j DROP", SILENCE),
    "answers dropped": ("far", "OUTPUT -p tcp --sport 7070 -j DROP", SILENCE),
    "reset by a firewall": (
        "far",
        "INPUT -p tcp --dport 7070 -j REJECT --reject-with tcp-reset",
        "10.77.0.2:7070 refused the connection",
    ),
}


def filtered(netns: Netns, rule: str) -> None:
    """Adds one rule to the namespace's filter table."""
    enter = ["nsenter", "-t", str(netns.pid), "--net", "--", "iptables", "-w", "5", "-A", *rule.split()]
    subprocess.run(enter, check=True, timeout=10)


@pytest.mark.parametrize("case", FILTERS)
async def test_a_filtered_port_is_reported_in_a_sentence_and_other_series_continue(lab: Lab, case: str) -> None:
    where, rule, words = FILTERS[case]
    filtered(getattr(lab, where), rule)
    bad = lab.series(Probe.TCP_RR, "bad", port=7070, server_port=7070, fixed=True)
    for seconds in (2.0, 8.0):
        lab.told.clear()
        ended = await lab.run(bad, lab.series(Probe.TCP_RR), seconds=seconds, rate=500.0, timeout_s=SILENT_S)
        if ended.refused and len(lab.of("a")) > 3:
            break  # on a busy machine a block takes longer
    assert ended.stopped is Stop.TIME
    assert {words in one.error for one in lab.of("bad")} == {True}, lab.of("bad")[0].error
    assert ended.refused["bad"].startswith("Abandoned after 3 failed blocks in a row: ")
    assert {one.error for one in lab.of("a")} == {""}
    assert len(lab.of("a")) > 3


async def test_a_container_s_own_address_that_rules_block_is_tried_once(lab: Lab) -> None:
    filtered(lab.far, "INPUT -p tcp --dport 7070 -j DROP")
    series = lab.series(Probe.TCP_RR, "bad", port=7070, server_port=7070, fixed=True)
    bad = replace(series, path=replace(series.path, kind=PathKind.LAN_CONTAINER))
    for seconds in (2.0, 8.0):
        lab.told.clear()
        ended = await lab.run(bad, lab.series(Probe.TCP_RR), seconds=seconds, rate=500.0, timeout_s=SILENT_S)
        if len(lab.of("a")) > 3:
            break  # as above
    assert len(lab.of("bad")) == 1
    assert ended.refused["bad"] == f"Abandoned after the first block failed: {SILENCE}"
    assert len(lab.of("a")) > 3


@pytest.mark.parametrize("probe", [Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR])
async def test_a_port_that_is_filtered_in_the_middle_leaves_the_blocks_before_it(lab: Lab, probe: Probe) -> None:
    def close_it(block: Block) -> None:
        if block.round == 1 and block.series == "bad":
            filtered(lab.far, "INPUT -p tcp --dport 7070 -j DROP")
            filtered(lab.far, "INPUT -p udp --dport 7070 -j DROP")

    bad = lab.series(probe, "bad", port=7070, udp_port=7070, server_port=7070, fixed=True)
    options = {"seconds": 4.0, "rate": 500.0, "timeout_s": SILENT_S}
    ended = await lab.run(bad, lab.series(Probe.TCP_RR), on_block=close_it, **options)
    assert ended.stopped is Stop.TIME
    assert [one.counts for one in lab.of("bad")] == [True, True, False, False, False]
    assert "No answer from 10.77.0.2:7070" in ended.refused["bad"]
    assert {one.error for one in lab.of("a")} == {""}
