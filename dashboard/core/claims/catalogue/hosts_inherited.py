"""Host mode inherits the machine's hosts file."""

from __future__ import annotations

from dashboard.core.claims.extract import describe_names, host_entries
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Files, observe_files

LINE = "docker run -d --network host IMAGE sleep 60"
HOSTS = "127.0.0.1 localhost\n192.0.2.77 database.lab.example database\n"


def judge(files: Files) -> Judgement:
    """Holds if the container has every name of the machine."""
    machine, inside = (host_entries(text) for text in files)
    evidence = (f"names of the machine: {describe_names(machine)}", f"names in the container: {describe_names(inside)}")
    return holds_if(machine.items() <= inside.items(), "Names of the machine are missing.", *evidence)


CLAIM = Claim(
    id="hosts-inherited",
    topic=Topic.DNS,
    statement="In host mode the container inherits the machine's /etc/hosts.",
    source="Moby, daemon/container_operations_unix.go: the hosts file of host mode",
    observe=observe_files("/etc/hosts", HOSTS, LINE),
    judge=judge,
    lines=("cat /etc/hosts", LINE, "docker exec ID cat /etc/hosts"),
    needs=frozenset({Need.ALONE}),
    mutation={"--network host": "--network bridge"},
)
