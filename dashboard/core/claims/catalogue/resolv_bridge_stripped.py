"""Default bridge: the machine's name servers without the loopback ones."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN
from dashboard.core.claims.judges import judge_stripped
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_files

LINE = "docker run -d --network bridge IMAGE sleep 60"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"

CLAIM = Claim(
    id="resolv-bridge-stripped",
    topic=Topic.DNS,
    statement="On the default bridge resolv.conf has the machine's name servers, without those at loopback addresses.",
    source="Docker documentation, “Networking overview”, DNS services; Moby, libnetwork/internal/resolvconf",
    exact="“The default bridge has Docker's own resolver” is wrong: 127.0.0.11 is for user-defined networks only.",
    observe=observe_files("/etc/resolv.conf", MIXED, LINE),
    judge=judge_stripped,
    lines=("cat /etc/resolv.conf", LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network bridge": "--network host"},
    otherwise=(
        Expectation(
            ROOTLESS_PODMAN,
            not_testable="Without root, pasta's resolver 169.254.1.1 replaces the servers at loopback addresses.",
        ),
    ),
)
