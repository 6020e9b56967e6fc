"""none has a resolv.conf as on the default bridge, and no network to use it."""

from dashboard.core.claims.judges import judge_stripped
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_files

LINE = "docker run -d --network none IMAGE sleep 60"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"

CLAIM = Claim(
    id="resolv-none-stripped",
    topic=Topic.DNS,
    statement="With --network none resolv.conf is written as on the default bridge, although no server is reachable.",
    source="Moby, libnetwork/sandbox_dns_unix.go",
    observe=observe_files("/etc/resolv.conf", MIXED, LINE),
    judge=judge_stripped,
    lines=(LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network none": "--network host"},
)
