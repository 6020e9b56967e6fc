"""Owners of sockets, and containers of processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.netns import processes
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.listeners import read_listeners
from dashboard.netns.processes import (
    all_pids,
    container_by_ancestor,
    container_in,
    container_of,
    find_owners,
    name_of,
    owners,
    start_of,
    still_held,
)
from tests.netns.namespaces import Netns, wanted
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

ID = "d2e5d7273ad0ac043c4cc59993a50dc05a52e6f51062a4867e0f46cf0bddff0f"
OUTER = "0" * 63 + "1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"0::/system.slice/docker-{ID}.scope\n", ID),  # v2, systemd
        (f"0::/docker/{ID}\n", ID),  # v2, cgroupfs
        (f"12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n", ID),  # v1, cgroupfs
        (f"12:cpu,cpuacct:/system.slice/docker-{ID}.scope\n0::/\n", ID),  # v1, systemd
        (f"0::/docker/{ID}/init.scope\n", ID),  # a program that makes cgroups of its own inside
        (f"0::/my/parent/{ID}\n", ID),  # --cgroup-parent
        (f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope\n", ID),  # rootless
        (f"0::/docker/{OUTER}/docker/{ID}\n", ID),  # an engine in a container
        (f"0::/docker/{OUTER}/system.slice/docker-{ID}.scope\n", ID),
        (f"0::/kubepods.slice/pod1.slice/cri-containerd-{ID}.scope\n", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", ID),  # Podman
        (f"0::/machine.slice/libpod-conmon-{ID}.scope\n", None),  # conmon holds the published ports of Podman 5
        (f"0::/docker/{OUTER}/libpod_parent/libpod-conmon-{ID}\n", OUTER),  # Podman in a container
        ("0::/\n", None),
        ("0::/system.slice/docker.service\n", None),
        ("0::/user.slice/session-1.scope\n", None),
        (f"0::/docker/{ID[:-1]}\n", None),
        (f"0::/docker/{ID}0\n", None),
        (f"0::/docker/{ID.upper()}\n", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_container_is_read_from_the_cgroup(text: str, expected: str | None) -> None:
    assert container_in(text.encode()) == expected


@given(st.binary())
def test_any_cgroup_text_is_read(text: bytes) -> None:
    assert container_in(text) is None or len(container_in(text) or "") == 64


def test_owners_are_the_oldest_first(netns: Netns, namespace: Namespace) -> None:
    master = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"\xffmaster", children=2)
    (one,) = read_listeners(namespace)
    found = owners([one.inode, 999_999_999], all_pids())
    assert list(found) == [one.inode]
    assert len(found[one.inode]) == 3
    assert found[one.inode][0] == (master.pid, r"\xffmaster")


def test_an_owner_is_searched_among_the_candidates_first(
    netns: Netns, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"web")
    (one,) = read_listeners(namespace)
    assert find_owners([one.inode, 0], [1])[one.inode].pid == process.pid
    monkeypatch.setattr(processes, "all_pids", lambda: pytest.fail("all of /proc was searched"))
    owner = find_owners([one.inode], [process.pid])[one.inode]
    assert (owner.pid, owner.process, owner.container) == (process.pid, "web", None)
    assert still_held(owner, [one.inode, 999_999_999]) == {one.inode}
    netns.release(process)
    assert still_held(owner, [one.inode]) == set()


def test_a_process_that_has_closed_a_socket_no_longer_holds_it(netns: Netns, namespace: Namespace) -> None:
    with namespace.run(socket.socket) as opened:
        inode = os.fstat(opened.fileno()).st_ino
        owner = find_owners([inode], [os.getpid()])[inode]
        assert owner.pid == os.getpid()
        assert still_held(owner, [inode]) == {inode}
    assert still_held(owner, [inode]) == set()
    assert start_of(owner.pid) == owner.started, "the process still runs"


def test_a_socket_without_a_process_has_no_owner() -> None:
    assert find_owners([0, 999_999_999]) == {}
    assert owners([1], [2**22 + 5]) == {}


def test_a_process_is_known_by_its_name_and_its_start() -> None:
    assert name_of(os.getpid()) == Path("/proc/self/comm").read_text().strip()
    assert isinstance(start_of(os.getpid()), int)
    assert name_of(2**22 + 5) is None
    assert start_of(2**22 + 5) is None
    assert container_of(2**22 + 5) is None


def test_a_zombie_has_no_start() -> None:
    process = subprocess.Popen(["true"])
    until(lambda: start_of(process.pid) is None)
    process.wait()


def test_without_cgroups_a_process_belongs_to_the_container_of_an_ancestor() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            child = int(first.stdout.readline())
            assert container_by_ancestor(child, {first.pid: ID}) == ID
            assert container_by_ancestor(first.pid, {first.pid: ID}) == ID
            assert container_by_ancestor(os.getpid(), {first.pid: ID}) is None
            assert container_by_ancestor(2**22 + 5, {first.pid: ID}) is None
        finally:
            os.kill(child, signal.SIGTERM)


def test_the_owner_of_a_socket_belongs_to_the_container_of_its_first_process(
    netns: Netns, namespace: Namespace
) -> None:
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    (one,) = read_listeners(namespace)
    assert find_owners([one.inode], (), {os.getpid(): ID})[one.inode].container == ID, "our child holds it"
    assert find_owners([one.inode], (), {2**22 + 5: ID})[one.inode].container is None


def test_a_process_outside_containers_has_no_container() -> None:
    assert container_of(os.getpid()) is None


@pytest.mark.engine
def test_the_container_of_a_process_is_its_full_id(engine_host: PrivateEngine) -> None:
    identity = engine_host.docker("run", "-d", "--name", "netns-processes", "nginx")
    try:
        assert container_of(engine_host.container_pid(identity)) == identity
    finally:
        engine_host.docker("rm", "-f", identity)
