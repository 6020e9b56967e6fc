"""The experiment that a measurement launches in place of the measured one where only a responder can answer a probe."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.measurements.measurement import ANSWERED_BY_US, Probe
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode, Publish

TWIN_PORT = 8080
SLEEP = ("sleep", "86400")


def needs_twin(probes: tuple[Probe, ...]) -> bool:
    """Whether a responder has to take the program's place, so that a published port leads to it."""
    return bool(set(probes) & ANSWERED_BY_US)


def twin_of(spec: ExperimentSpec) -> ExperimentSpec:
    """The same arms with a program that only waits, on a port that a responder can take."""

    def arm(one: ArmSpec) -> ArmSpec:
        forwards = one.mode in {Mode.BRIDGE, Mode.USER_BRIDGE, Mode.OVERLAY}
        publish = (Publish(TWIN_PORT, 0, "tcp"), Publish(TWIN_PORT, 0, "udp")) if forwards else ()
        return replace(one, command=SLEEP, port=TWIN_PORT, publish=publish, publish_all=False)

    return ExperimentSpec(f"measure: {spec.title}"[:200], spec.image, TWIN_PORT, tuple(arm(one) for one in spec.arms))
