"""none has a resolv.conf as on the default bridge, and no way to use it."""

from __future__ import annotations

from dashboard.core.claims.judges import judge_stripped
from dashboard.core.claims.model import Claim, Need, Stage, Topic
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network none IMAGE sleep 60"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files."""
    await stage.set_file("/etc/resolv.conf", MIXED)
    one = await stage.run(LINE)
    return await stage.file(MACHINE, "/etc/resolv.conf"), await stage.file(one, "/etc/resolv.conf")


CLAIM = Claim(
    id="resolv-none-stripped",
    topic=Topic.DNS,
    statement="With --network none resolv.conf is made as on the default bridge, although nothing can be asked.",
    source="Moby, libnetwork/sandbox_dns_unix.go",
    observe=observe,
    judge=judge_stripped,
    lines=(LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    counter={"--network none": "--network host"},
)
