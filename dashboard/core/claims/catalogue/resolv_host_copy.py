"""Host mode: a copy of the machine's resolv.conf, loopback servers included."""

from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Files, observe_files

LINE = "docker run -d --network host IMAGE sleep 60"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch lab.example\n"


def judge(files: Files) -> Judgement:
    """Holds if the servers are the same."""
    machine, inside = files
    evidence = (f"resolv.conf of the machine: {on_one_line(machine)}", f"in the container: {on_one_line(inside)}")
    return holds_if(nameservers(machine) == nameservers(inside), "The servers are not the machine's.", *evidence)


CLAIM = Claim(
    id="resolv-host-copy",
    topic=Topic.DNS,
    statement="In host mode DNS comes from the machine: resolv.conf is a copy of its file, loopback servers such as "
    "127.0.0.53 included.",
    source="Docker documentation, “Networking overview”, DNS services; Moby, libnetwork/sandbox_dns_unix.go",
    observe=observe_files("/etc/resolv.conf", MIXED, LINE),
    judge=judge,
    lines=("cat /etc/resolv.conf", LINE, "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network host": "--network bridge"},
)
