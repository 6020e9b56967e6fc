"""Network sysctls in host mode are the machine's own."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Stage, Topic, proves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network host IMAGE sleep 60"
NAMES = ("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range")

States = tuple[NamespaceState, NamespaceState]


async def observe(stage: Stage) -> States:
    """Machine and container."""
    one = await stage.run(LINE)
    return await stage.state(MACHINE), await stage.state(one)


def judge(seen: States) -> Judgement:
    """The same values."""
    machine, inside = seen
    evidence = tuple(
        f"{name}: machine {machine.sysctls.get(name)}, container {inside.sysctls.get(name)}" for name in NAMES
    )
    same = all(machine.sysctls.get(name) == inside.sysctls.get(name) for name in NAMES)
    return proves(same, "The container has values of its own.", *evidence)


CLAIM = Claim(
    id="host-sysctls",
    topic=Topic.ISOLATION,
    statement="In host mode network sysctls are the machine's: low ports stay privileged and ping stays "
    "as it is there.",
    source="Docker documentation, “Host network driver”; Moby, daemon/daemon_unix.go",
    exact="A bridge container gets ip_unprivileged_port_start=0 and an open ping_group_range, so a program that "
    "works there may lack rights in host mode.",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    counter={"--network host": "--network bridge"},
)
