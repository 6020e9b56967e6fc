"""Claims about the machine's /etc/hosts in host mode: the container inherits it, except with --add-host or with Podman
behind Docker's API."""

from dashboard.core.claims.engine_facts import PODMAN
from dashboard.core.claims.extract import describe_names, host_entries
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import Files, observe_files

LINE = "docker run -d --network host IMAGE sleep 60"
WITH_ADDED_NAME = "docker run -d --network host --add-host other:192.0.2.7 IMAGE sleep 60"
IN_CONTAINER = "docker exec ID cat /etc/hosts"
HOSTS = "127.0.0.1 localhost\n192.0.2.77 database.lab.example database\n"


def _evidence(files: Files) -> tuple[str, str]:
    machine, inside = (describe_names(host_entries(text)) for text in files)
    return f"names of the machine: {machine}", f"names in the container: {inside}"


def judge_inherited(files: Files) -> Judgement:
    """The claim holds if the container's hosts file has every name that the machine's hosts file has."""
    machine, inside = map(host_entries, files)
    return holds_if(machine.items() <= inside.items(), "Names of the machine are missing.", *_evidence(files))


def judge_separate(files: Files) -> Judgement:
    """The claim holds if the machine's hosts file has names, and the container's hosts file has none of them."""
    machine, inside = map(host_entries, files)
    if not machine:
        return differs("The machine has no names.", *_evidence(files))
    return holds_if(not machine.items() & inside.items(), "The container has names of the machine.", *_evidence(files))


def judge_added(files: Files) -> Judgement:
    """The claim holds if the container's hosts file has the added name and none of the machine's names."""
    machine, inside = map(host_entries, files)
    if kept := sorted(machine.keys() & inside.keys()):
        return differs(f"The machine's names are still there: {', '.join(kept)}.", *_evidence(files))
    return holds_if("other" in inside, "The added name is missing.", *_evidence(files))


CLAIMS = (
    Claim(
        id="hosts-inherited",
        topic=Topic.DNS,
        statement="In host mode the container inherits the machine's /etc/hosts.",
        source="Moby, daemon/container_operations_unix.go: the hosts file of host mode",
        observe=observe_files("/etc/hosts", HOSTS, LINE),
        judge=judge_inherited,
        lines=("cat /etc/hosts", LINE, IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={"--network host": "--network bridge"},
        otherwise=(
            Expectation(
                PODMAN,
                statement="In host mode the container has a new hosts file without the machine's names.",
                judge=judge_separate,
                exact="Podman uses no base file for containers created through Docker's API (podman, "
                "pkg/api/handlers/compat/containers_create.go), unless base_hosts_file in containers.conf names one.",
                mutation={"--network host": "--network host --add-host database:192.0.2.77"},
            ),
        ),
    ),
    Claim(
        id="add-host-discards",
        topic=Topic.DNS,
        statement="In host mode any --add-host discards the machine's /etc/hosts: the container starts from a new "
        "file.",
        source="Moby, daemon/container_operations_unix.go",
        exact="In the other modes the option only adds an entry, as its name says. Add every entry you need.",
        observe=observe_files("/etc/hosts", HOSTS, WITH_ADDED_NAME),
        judge=judge_added,
        lines=(WITH_ADDED_NAME, IN_CONTAINER),
        needs=frozenset({Need.ALONE}),
        mutation={" --add-host other:192.0.2.7": ""},
    ),
)
