"""dashboard.bench.measurements.netperf_sockperf: their output, and how they end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.measurements.netperf_sockperf import (
    CONTAINER_PORTS,
    HOST_PORTS,
    end_with_children,
    parse_netperf,
    parse_sockperf,
    prioritised,
)
from tests.support.polling import until
from tests.support.terminal import has_ended

NETPERF = """OMNI Send|Recv TEST from 0.0.0.0 (0.0.0.0) port 0 AF_INET to 127.0.0.1 () port 14002 AF_INET
P50_LATENCY=81
"""
SOCKPERF = (
    "sockperf: [Total Run] RunTime=1.0 sec; Warm up time=400 msec; SentMessages=6; ReceivedMessages=5\n"
    "sockperf: \x1b[2;35m====> avg-rtt=10.472 (std-dev=9.437)\x1b[0m\n"
    "sockperf: # dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0\n"
    "sockperf: ---> percentile 75.000 =   10.914\n"
    "sockperf: ---> percentile 50.000 =   10.294\n"
)


def test_the_medians_of_both_are_parsed() -> None:
    assert parse_netperf(NETPERF) == 81.0
    assert parse_sockperf(SOCKPERF) == 10.294


@pytest.mark.parametrize("text", ["", "are you sure there is a netserver listening?", "MEAN_LATENCY=1"])
def test_netperf_without_a_latency_is_an_error(text: str) -> None:
    with pytest.raises(BenchmarkError, match="printed no latency"):
        parse_netperf(text)


def test_netperf_without_an_answer_is_an_error_and_not_a_latency_of_zero() -> None:
    with pytest.raises(BenchmarkError, match="received no answer"):
        parse_netperf("P50_LATENCY=-1\n")


def test_sockperf_that_lost_messages_or_printed_nothing_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="lost 12 messages"):
        parse_sockperf(SOCKPERF.replace("dropped messages = 0", "dropped messages = 12"))
    with pytest.raises(BenchmarkError, match="no round trip"):
        parse_sockperf("sockperf: ERROR: Can't connect")


def test_no_port_is_used_twice() -> None:
    assert not set(CONTAINER_PORTS) & set(HOST_PORTS)


def test_a_server_ends_with_its_children() -> None:
    with Path("/proc/self/ns/net").open("rb") as namespace:
        command = prioritised(["sh", "-c", "sleep 60 & echo $!; wait"], namespace.fileno(), None)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(namespace.fileno(),))
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    assert os.getsid(child.pid) == process.pid
    end_with_children(process)
    until(lambda: has_ended(child))
