"""Host mode sees every interface of the machine, bridges and other containers' veth included."""

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.extract import interface_names
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, holds_if
from dashboard.core.claims.observers import States, observe_states

FIRST = "docker run -d --network bridge IMAGE sleep 60"
LINE = "docker run -d --network host IMAGE sleep 60"


def judge(states: States) -> Judgement:
    """Holds if the container sees bridges and veth ends."""
    machine, inside = states
    kinds = {link.kind for link in inside.interfaces}
    evidence = (
        f"interfaces of the machine: {', '.join(interface_names(machine))}",
        f"interfaces in the container: {', '.join(interface_names(inside))}",
    )
    return holds_if({"bridge", "veth"} <= kinds, "The container does not see the machine's interfaces.", *evidence)


CLAIM = Claim(
    id="host-sees-interfaces",
    topic=Topic.ISOLATION,
    statement="A container in host mode sees the machine's interfaces: docker0, every br-* and the veth ends of all "
    "other containers.",
    source="Docker documentation, “Networking using the host network”: examine all network interfaces",
    observe=observe_states(FIRST, LINE),
    judge=judge,
    lines=(FIRST, LINE),
    otherwise=(
        Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
        Expectation(
            PODMAN,
            statement="A container in host mode sees the machine's interfaces: podman0, every podmanN and the veth "
            "ends of all other containers.",
            judge=judge,
        ),
    ),
    mutation={"--network host": "--network none"},
)
