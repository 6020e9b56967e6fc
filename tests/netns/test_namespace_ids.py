"""Namespaces and host name of a process."""

from __future__ import annotations

import os
import platform

import pytest

from dashboard.netns.namespace import NamespaceGone
from dashboard.netns.namespace_ids import KINDS, hostname, namespaces
from tests.netns.namespaces import Netns


def test_the_seven_namespaces_of_a_process_are_read(netns: Netns) -> None:
    ours, theirs = namespaces(os.getpid()), namespaces(netns.pid)
    assert set(ours) == set(KINDS)
    assert {kind for kind in KINDS if ours[kind] != theirs[kind]} == {"net", "uts"}
    assert theirs["net"] == int(os.readlink(f"/proc/{netns.pid}/ns/net")[5:-1])  # noqa: PTH115


def test_the_host_name_is_the_one_that_the_process_sees(netns: Netns) -> None:
    netns.rename_host("lab-7")
    assert hostname(netns.pid) == "lab-7"
    assert hostname(os.getpid()) == platform.node() != "lab-7"


def test_an_ended_process_has_no_namespaces_and_no_host_name(netns: Netns) -> None:
    netns.kill()
    for ask in (namespaces, hostname):
        with pytest.raises(NamespaceGone):
            ask(netns.pid)
