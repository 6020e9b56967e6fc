"""dashboard.bench.experiments.namespace_changes, in a new network namespace."""

from __future__ import annotations

import os
import time

import pytest

from dashboard.bench.experiments.namespace_changes import Changer
from dashboard.bench.processes import program
from dashboard.netns.namespace import in_thread
from dashboard.netns.netlink.interfaces import LinkTable, open_route_socket


def addresses() -> set[str]:
    with open_route_socket() as opened:
        table = LinkTable(0)
        table.load(opened)
        return {one.address for link in table.interfaces() for one in link.addresses}


def test_a_change_is_made_after_the_time_that_is_returned() -> None:
    def inside() -> None:
        os.unshare(os.CLONE_NEWNET)
        with Changer("lo") as changer:
            before = time.monotonic_ns()
            moment = changer.execute("add", "198.51.100.7")
            assert before <= moment <= time.monotonic_ns()
            assert "198.51.100.7" in addresses()
            changer.execute("remove", "198.51.100.7")
            assert "198.51.100.7" not in addresses()

    in_thread(inside)


def test_a_change_that_the_kernel_refuses_is_an_error() -> None:
    def inside() -> None:
        os.unshare(os.CLONE_NEWNET)
        with Changer("lo") as changer, pytest.raises(OSError, match="Cannot assign requested address"):
            changer.execute("remove", "198.51.100.7")

    in_thread(inside)


async def test_every_command_is_answered_with_its_time() -> None:
    async with program("experiments.namespace_changes", str(os.getpid()), "lo") as changer:
        changes = (("listen", "0"), ("close", "0"))
        moments = [await changer.ask("execute", command=command, argument=port) for command, port in changes]
    assert moments == sorted(moments)
