"""A copy of the measured experiment, for probes that need the responder of Netmodes in place of the containers'
programs. A measurement with such a probe launches the copy instead of the experiment itself."""

from dataclasses import replace

from dashboard.core.measurements.measurement import ANSWERED_BY_US, Probe
from dashboard.core.modes import FORWARDING, ArmSpec, ExperimentSpec, Publish

RESPONDER_PORT = 8080
SLEEP = ("sleep", "86400")


def needs_responder_experiment(probes: tuple[Probe, ...]) -> bool:
    """Whether at least one of the probes needs an experiment in which published ports lead to the responder of Netmodes
    instead of the container's program."""
    return bool(set(probes) & ANSWERED_BY_US)


def responder_experiment(spec: ExperimentSpec) -> ExperimentSpec:
    """Returns a copy of the experiment in which each arm runs an idle program. Arms in modes that forward ports publish
    ``RESPONDER_PORT``."""

    def arm(spec: ArmSpec) -> ArmSpec:
        ports = (Publish(RESPONDER_PORT, 0, "tcp"), Publish(RESPONDER_PORT, 0, "udp"))
        publish = ports if spec.mode in FORWARDING else ()
        return replace(spec, command=SLEEP, port=RESPONDER_PORT, publish=publish, publish_all=False)

    return ExperimentSpec(
        f"measure: {spec.title}"[:200], spec.image, RESPONDER_PORT, tuple(arm(one) for one in spec.arms)
    )
