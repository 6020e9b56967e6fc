"""A later edit of the machine's resolv.conf is not seen."""

from __future__ import annotations

from dashboard.core.claims.extract import say_lines, servers_in
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
BEFORE, AFTER = "nameserver 192.0.2.53\n", "nameserver 192.0.2.54\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files after the edit."""
    await stage.set_file("/etc/resolv.conf", BEFORE)
    one = await stage.run(LINE)
    await stage.set_file("/etc/resolv.conf", AFTER)
    return await stage.file(MACHINE, "/etc/resolv.conf"), await stage.file(one, "/etc/resolv.conf")


def judge(seen: tuple[str, str]) -> Judgement:
    """They have parted."""
    machine, inside = seen
    evidence = (f"resolv.conf of the machine now: {say_lines(machine)}", f"in the container: {say_lines(inside)}")
    return proves(
        servers_in(machine) != servers_in(inside), "The container has the machine's servers of now.", *evidence
    )


CLAIM = Claim(
    id="resolv-is-a-copy",
    topic=Topic.DNS,
    statement="Host mode has a copy of resolv.conf: what is edited on the machine afterwards is not seen until the "
    "container starts again.",
    source="Moby, libnetwork/sandbox_dns_unix.go",
    exact="“Uses the host's DNS” suggests that it follows; it does not, which laptops notice when they change "
    "networks.",
    observe=observe,
    judge=judge,
    lines=(LINE, "echo nameserver 192.0.2.54 > /etc/resolv.conf", "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    counter={"192.0.2.54": "192.0.2.53"},
)
