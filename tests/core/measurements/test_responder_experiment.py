"""The experiment whose published ports lead to a responder."""

from __future__ import annotations

from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.responder_experiment import (
    RESPONDER_PORT,
    needs_responder_experiment,
    responder_experiment,
)
from dashboard.core.modes import Mode
from tests.support.specs import make_spec


def test_a_twin_has_the_same_arms_and_a_free_port_for_a_responder() -> None:
    spec = make_spec("host", "bridge", "user-bridge", "none", publish="8080:80")
    twin = responder_experiment(spec)
    assert [arm.mode for arm in twin.arms] == [arm.mode for arm in spec.arms]
    assert {arm.port for arm in twin.arms} == {RESPONDER_PORT}
    assert {arm.command for arm in twin.arms} == {("sleep", "86400")}
    forwards = {arm.mode for arm in twin.arms if arm.publish}
    assert forwards == {Mode.BRIDGE, Mode.USER_BRIDGE}
    assert {one.host_port for arm in twin.arms for one in arm.publish} == {0}


def test_only_probes_that_a_responder_answers_need_a_twin() -> None:
    assert needs_responder_experiment((Probe.TCP_RR,))
    assert needs_responder_experiment((Probe.DNS, Probe.UDP_RR))
    assert not needs_responder_experiment((Probe.HTTP, Probe.DNS))
