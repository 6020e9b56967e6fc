"""Default bridge: public servers where only loopback ones are left."""

from __future__ import annotations

from dashboard.core.claims.extract import say_lines, servers_in
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network bridge IMAGE sleep 60"
ONLY_LOOPBACK = "nameserver 127.0.0.53\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files."""
    await stage.set_file("/etc/resolv.conf", ONLY_LOOPBACK)
    one = await stage.run(LINE)
    return await stage.file(MACHINE, "/etc/resolv.conf"), await stage.file(one, "/etc/resolv.conf")


def judge(seen: tuple[str, str]) -> Judgement:
    """Servers that the machine never named."""
    machine, inside = seen
    evidence = (f"resolv.conf of the machine: {say_lines(machine)}", f"in the container: {say_lines(inside)}")
    servers = servers_in(inside)
    proved = bool(servers) and not any(one.startswith("127.") for one in servers)
    return proves(proved, "The servers are the machine's, or none.", *evidence)


CLAIM = Claim(
    id="resolv-bridge-fallback",
    topic=Topic.DNS,
    statement="On the default bridge, if the machine names loopback servers only, the container gets public ones.",
    source="Moby, libnetwork/internal/resolvconf: defaultIPv4NSs",
    exact="Names of a company's own network then do not resolve, and lookups leave it. With systemd-resolved the "
    "Engine reads /run/systemd/resolve/resolv.conf instead.",
    observe=observe,
    judge=judge,
    lines=("cat /etc/resolv.conf", LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    counter={"--network bridge": "--network host"},
)
