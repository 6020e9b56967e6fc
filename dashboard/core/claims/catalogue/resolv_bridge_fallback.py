"""Default bridge: public name servers where the machine has loopback ones only."""

from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Files, observe_files

LINE = "docker run -d --network bridge IMAGE sleep 60"
ONLY_LOOPBACK = "nameserver 127.0.0.53\n"


def judge(files: Files) -> Judgement:
    """Holds if the servers are not the machine's."""
    machine, inside = files
    evidence = (f"resolv.conf of the machine: {on_one_line(machine)}", f"in the container: {on_one_line(inside)}")
    servers = nameservers(inside)
    proved = bool(servers) and not any(server.startswith("127.") for server in servers)
    return holds_if(proved, "The servers are the machine's, or none.", *evidence)


CLAIM = Claim(
    id="resolv-bridge-fallback",
    topic=Topic.DNS,
    statement="On the default bridge, if the machine names loopback servers only, the container gets public ones.",
    source="Moby, libnetwork/internal/resolvconf: defaultIPv4NSs",
    exact="Names of a company's internal network then do not resolve, and lookups leave it. With systemd-resolved the "
    "Engine reads /run/systemd/resolve/resolv.conf instead.",
    observe=observe_files("/etc/resolv.conf", ONLY_LOOPBACK, LINE),
    judge=judge,
    lines=("cat /etc/resolv.conf", LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network bridge": "--network host"},
)
