"""--add-host in host mode discards the machine's entries."""

from dashboard.core.claims.extract import describe_names, host_entries
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import Files, observe_files

LINE = "docker run -d --network host --add-host other:192.0.2.7 IMAGE sleep 60"
HOSTS = "127.0.0.1 localhost\n192.0.2.77 database.lab.example database\n"


def judge(files: Files) -> Judgement:
    """Holds if the new name is there and the machine's names are not."""
    machine, inside = (host_entries(text) for text in files)
    evidence = (f"names of the machine: {describe_names(machine)}", f"names in the container: {describe_names(inside)}")
    kept = sorted(machine.keys() & inside.keys())
    if kept:
        return differs(f"The machine's names are still there: {', '.join(kept)}.", *evidence)
    return holds_if("other" in inside, "The added name is missing.", *evidence)


CLAIM = Claim(
    id="add-host-discards",
    topic=Topic.DNS,
    statement="In host mode any --add-host discards the machine's /etc/hosts: the container starts from a new file.",
    source="Moby, daemon/container_operations_unix.go",
    exact="In the other modes the option only adds an entry, as its name says. Add every entry you need.",
    observe=observe_files("/etc/hosts", HOSTS, LINE),
    judge=judge,
    lines=(LINE, "docker exec ID cat /etc/hosts"),
    needs=frozenset({Need.ALONE}),
    mutation={" --add-host other:192.0.2.7": ""},
)
