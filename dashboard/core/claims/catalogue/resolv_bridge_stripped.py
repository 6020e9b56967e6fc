"""Default bridge: the machine's servers without the loopback ones."""

from __future__ import annotations

from dashboard.core.claims.judges import judge_stripped
from dashboard.core.claims.model import Claim, Need, Stage, Topic
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network bridge IMAGE sleep 60"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files."""
    await stage.set_file("/etc/resolv.conf", MIXED)
    one = await stage.run(LINE)
    return await stage.file(MACHINE, "/etc/resolv.conf"), await stage.file(one, "/etc/resolv.conf")


CLAIM = Claim(
    id="resolv-bridge-stripped",
    topic=Topic.DNS,
    statement="On the default bridge resolv.conf has the machine's name servers, without those at loopback addresses.",
    source="Docker documentation, “Networking overview”, DNS services; Moby, libnetwork/internal/resolvconf",
    exact="“The default bridge has Docker's own resolver” is not so: 127.0.0.11 is for user-defined networks only.",
    observe=observe,
    judge=judge_stripped,
    lines=("cat /etc/resolv.conf", LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    counter={"--network bridge": "--network host"},
)
