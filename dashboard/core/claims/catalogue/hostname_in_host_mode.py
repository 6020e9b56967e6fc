"""--hostname works in host mode."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import States, observe_states

LINE = "docker run -d --network host --hostname mine IMAGE sleep 60"


def judge(states: States) -> Judgement:
    """Holds if the container has the name and the machine does not."""
    machine, inside = states
    evidence = (f"host name in the container: {inside.hostname}", f"host name of the machine: {machine.hostname}")
    proved = inside.hostname == "mine" != machine.hostname
    return holds_if(proved, "The option had no effect.", *evidence)


CLAIM = Claim(
    id="hostname-in-host-mode",
    topic=Topic.ISOLATION,
    statement="--hostname works in host mode and does not change the machine's name.",
    source="docker-run(1), --hostname; uts_namespaces(7)",
    observe=observe_states(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={" --hostname mine": ""},
)
