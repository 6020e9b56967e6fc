"""dashboard.lab.lans.states."""

from __future__ import annotations

from dataclasses import replace

from dashboard.lab.lans.states import LanHost, LanStage, LanState

HOST = LanHost("a", ("192.0.2.2", "2001:db8::2"))


def test_a_lan_has_ended_hosts_if_one_does_not_run() -> None:
    assert not LanState("office", LanStage.CREATING).has_ended_hosts
    assert not LanState("office", LanStage.READY, (HOST, HOST)).has_ended_hosts
    assert LanState("office", LanStage.READY, (HOST, replace(HOST, running=False))).has_ended_hosts
