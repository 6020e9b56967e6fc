"""dashboard.lab.lans.restarts: when the ended hosts of a LAN start again by themselves."""

from __future__ import annotations

import time
from pathlib import Path

from dashboard.core.training.host_plan import ENGINE_EXITS_S
from dashboard.engine.hosts import registry
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.lab.lans.restarts import RETRY, Restarts, find_lans


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_hosts_that_end_again_and_again_wait_for_a_user() -> None:
    clock = Clock()
    restarts = Restarts(clock)
    assert [restarts.refuse("office") for _ in range(2)] == ["", ""]
    refused = f"Hosts of this LAN ended 3 times within 2 minutes. {RETRY}"
    assert restarts.refuse("office") == refused
    assert restarts.refuse("cellar") == ""
    clock.now += 2 * ENGINE_EXITS_S
    assert restarts.refuse("office") == refused, "it waits however long that takes"
    restarts.forget("office")
    assert restarts.refuse("office") == ""


def test_rare_ends_are_not_counted_together() -> None:
    clock = Clock()
    restarts = Restarts(clock)
    for _ in range(5):
        assert restarts.refuse("office") == ""
        clock.now += ENGINE_EXITS_S + 1


def test_a_failed_start_is_not_repeated_until_the_hosts_run() -> None:
    restarts = Restarts()
    restarts.note_failure("office", "The disk is full.")
    assert restarts.refuse("office") == f"The disk is full. {RETRY}"
    assert restarts.forget_failure("office")
    assert not restarts.forget_failure("office")
    assert restarts.refuse("office") == ""


def test_a_lan_is_startable_if_no_process_starts_one_of_its_hosts(tmp_path: Path) -> None:
    hosts = []
    for number, name in enumerate(("a", "b"), start=1):
        folder = tmp_path / "hosts" / name
        folder.mkdir(parents=True)
        hosts.append(PrivateHost(name, 1, 7, "/nowhere", time.time(), folder, 1, lan=LanPlace("office", number)))
        registry.remember(hosts[-1], ready=True)
    host, other = hosts
    found = find_lans(tmp_path)["office"]
    assert ([one.id for one in found.lan.ended], found.startable, found.neighbours) == (["a", "b"], True, ())
    registry.note_starter(host)
    assert not find_lans(tmp_path)["office"].startable
    registry.note_failed_start(host)
    assert find_lans(tmp_path)["office"].startable
    registry.note_removal(host.folder)
    registry.note_removal(other.folder)
    assert find_lans(tmp_path) == {}
