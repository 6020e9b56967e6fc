"""The experiment that a measurement launches instead of the measured one, for probes that only a responder answers."""

from dataclasses import replace

from dashboard.core.measurements.measurement import ANSWERED_BY_US, Probe
from dashboard.core.modes import FORWARDING, ArmSpec, ExperimentSpec, Publish

RESPONDER_PORT = 8080
SLEEP = ("sleep", "86400")


def needs_responder_experiment(probes: tuple[Probe, ...]) -> bool:
    """Whether a responder must replace the program, so that a published port leads to it."""
    return bool(set(probes) & ANSWERED_BY_US)


def responder_experiment(spec: ExperimentSpec) -> ExperimentSpec:
    """The experiment with an idle program in each arm, on a port that a responder can use."""

    def arm(spec: ArmSpec) -> ArmSpec:
        ports = (Publish(RESPONDER_PORT, 0, "tcp"), Publish(RESPONDER_PORT, 0, "udp"))
        publish = ports if spec.mode in FORWARDING else ()
        return replace(spec, command=SLEEP, port=RESPONDER_PORT, publish=publish, publish_all=False)

    return ExperimentSpec(
        f"measure: {spec.title}"[:200], spec.image, RESPONDER_PORT, tuple(arm(one) for one in spec.arms)
    )
