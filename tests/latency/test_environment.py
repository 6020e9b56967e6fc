"""dashboard.latency.environment, on the machine that runs the tests."""

from __future__ import annotations

import os
import platform
import socket

import pytest

from dashboard.latency import environment
from dashboard.latency.environment import load_average, pick_cores, read_environment, read_offloads
from tests.latency.conftest import Lab


def test_it_says_where_it_runs() -> None:
    found = read_environment()
    assert found.kernel == platform.release()
    assert found.cores == os.cpu_count()
    assert found.cpu_model
    assert found.virtualisation
    assert found.load_before == pytest.approx(load_average(), abs=1.0)
    assert (found.client_core, found.responder_core) == pick_cores()
    assert found.cores_awake is os.access("/dev/cpu_dma_latency", os.W_OK)


def test_cores_are_two_of_those_that_we_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    cores = pick_cores()
    if len(allowed) > 1:
        assert len(set(cores)) == 2
        assert set(cores) <= allowed
    else:
        assert cores == (None, None)


@pytest.mark.parametrize(("text", "expected"), [("0-2,5", {0, 1, 2, 5}), ("7", {7}), ("", set()), ("nonsense", set())])
def test_lists_of_cores_are_read_as_the_kernel_writes_them(text: str, expected: set[int]) -> None:
    assert environment._parse_cores(text) == expected


def test_offloads_are_those_of_the_namespace(lab: Lab) -> None:
    del lab
    with socket.socket() as opened:
        found = read_offloads(opened, ["lo", "no-such-link"])
    assert "gso" in found["lo"]
    assert found["no-such-link"] == ()
