"""Network sysctls in host mode are the machine's."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import States, observe_states

LINE = "docker run -d --network host IMAGE sleep 60"
NAMES = ("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range")


def judge(states: States) -> Judgement:
    """Holds if the values are the same."""
    machine, inside = states
    evidence = tuple(
        f"{name}: machine {machine.sysctls.get(name, 'unknown')}, container {inside.sysctls.get(name, 'unknown')}"
        for name in NAMES
    )
    same = all(machine.sysctls.get(name) == inside.sysctls.get(name) for name in NAMES)
    return holds_if(same, "The container has other values.", *evidence)


CLAIM = Claim(
    id="host-sysctls",
    topic=Topic.ISOLATION,
    statement="In host mode network sysctls are the machine's: low ports stay privileged and ping works as it does "
    "there.",
    source="Docker documentation, “Host network driver”; Moby, daemon/daemon_unix.go",
    exact="A bridge container gets ip_unprivileged_port_start=0 and an open ping_group_range, so a program that "
    "works there may lack privileges in host mode.",
    observe=observe_states(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
)
