"""Host mode: a copy of the machine's resolv.conf, loopback servers included."""

from __future__ import annotations

from dashboard.core.claims.extract import say_lines, servers_in
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch lab.example\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files."""
    await stage.set_file("/etc/resolv.conf", MIXED)
    one = await stage.run(LINE)
    return await stage.file(MACHINE, "/etc/resolv.conf"), await stage.file(one, "/etc/resolv.conf")


def judge(seen: tuple[str, str]) -> Judgement:
    """The same servers."""
    machine, inside = seen
    evidence = (f"resolv.conf of the machine: {say_lines(machine)}", f"in the container: {say_lines(inside)}")
    return proves(servers_in(machine) == servers_in(inside), "The servers are not the machine's.", *evidence)


CLAIM = Claim(
    id="resolv-host-copy",
    topic=Topic.DNS,
    statement="In host mode DNS comes from the machine: resolv.conf is a copy of its file, loopback servers such as "
    "127.0.0.53 included.",
    source="Docker documentation, “Networking overview”, DNS services; Moby, libnetwork/sandbox_dns_unix.go",
    observe=observe,
    judge=judge,
    lines=("cat /etc/resolv.conf", LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    counter={"--network host": "--network bridge"},
)
