"""In host mode the host name is copied, not shared."""

from dashboard.core.claims.model import Claim, Judgement, Topic, differs, holds_if
from dashboard.core.claims.observers import States, observe_states

LINE = "docker run -d --network host IMAGE sleep 60"


def judge(states: States) -> Judgement:
    """Holds if the name is the same in another uts namespace."""
    machine, inside = states
    evidence = tuple(
        f"{place}: host name {state.hostname}, uts namespace {state.namespaces.get('uts', 'unknown')}"
        for place, state in (("machine", machine), ("container", inside))
    )
    if machine.namespaces.get("uts") == inside.namespaces.get("uts"):
        return differs("The uts namespace is shared.", *evidence)
    return holds_if(machine.hostname == inside.hostname, "The container has another name.", *evidence)


CLAIM = Claim(
    id="host-copies-hostname",
    topic=Topic.ISOLATION,
    statement="In host mode the container has the machine's host name: a copy, in its own uts namespace.",
    source="Moby, daemon/container_operations.go",
    exact="Often described as “the host name is shared”. It is copied at start: neither sees a later change of the "
    "other.",
    observe=observe_states(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network host --uts host"},
)
