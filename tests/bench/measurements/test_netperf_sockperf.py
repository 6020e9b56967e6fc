"""dashboard.bench.measurements.netperf_sockperf: what netperf and sockperf say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from dashboard.bench.measurements import netperf_sockperf as rivals
from dashboard.bench.measurements.netperf_sockperf import (
    CONTAINER_PORTS,
    HOST_PORTS,
    RivalError,
    Told,
    parse_netperf,
    parse_sockperf,
)
from tests.polling import until

NETPERF = """OMNI Send|Recv TEST from 0.0.0.0 (0.0.0.0) port 0 AF_INET to 127.0.0.1 () port 14002 AF_INET
P50_LATENCY=81
MEAN_LATENCY=83.27
"""
SOCKPERF = (
    "sockperf: [Total Run] RunTime=1.0 sec; Warm up time=400 msec; SentMessages=6; ReceivedMessages=5\n"
    "sockperf: \x1b[2;35m====> avg-rtt=10.472 (std-dev=9.437)\x1b[0m\n"
    "sockperf: # dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0\n"
    "sockperf: ---> percentile 75.000 =   10.914\n"
    "sockperf: ---> percentile 50.000 =   10.294\n"
)


def test_both_are_read() -> None:
    assert parse_netperf(NETPERF) == Told(81.0, 83.27)
    assert parse_sockperf(SOCKPERF) == Told(10.294, 10.472)


@pytest.mark.parametrize("text", ["", "are you sure there is a netserver listening?", "P50_LATENCY=1"])
def test_netperf_without_a_latency_is_a_sentence(text: str) -> None:
    with pytest.raises(RivalError, match="tells no latency"):
        parse_netperf(text)


def test_netperf_without_an_answer_is_not_a_latency_of_nothing() -> None:
    with pytest.raises(RivalError, match="no answer"):
        parse_netperf("P50_LATENCY=-1\nMEAN_LATENCY=0.0\n")


def test_sockperf_that_lost_messages_or_says_nothing_is_refused() -> None:
    with pytest.raises(RivalError, match="lost 12 messages"):
        parse_sockperf(SOCKPERF.replace("dropped messages = 0", "dropped messages = 12"))
    with pytest.raises(RivalError, match="no round trip"):
        parse_sockperf("sockperf: ERROR: Can't connect")


def test_no_port_is_given_twice() -> None:
    assert not set(CONTAINER_PORTS) & set(HOST_PORTS)


def test_a_server_takes_its_children_with_it() -> None:
    with Path("/proc/self/ns/net").open("rb") as namespace:
        command = rivals.favoured(["sh", "-c", "sleep 60 & echo $!; wait"], namespace.fileno(), None)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(namespace.fileno(),))
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    assert os.getsid(child.pid) == process.pid
    rivals._end_with_children(process)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
