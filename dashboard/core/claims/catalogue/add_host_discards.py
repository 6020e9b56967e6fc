"""--add-host in host mode throws the machine's entries away."""

from __future__ import annotations

from dashboard.core.claims.extract import names_in
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host --add-host other:192.0.2.7 IMAGE sleep 60"
HOSTS = "127.0.0.1 localhost\n192.0.2.77 database.lab.example database\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files."""
    await stage.set_file("/etc/hosts", HOSTS)
    one = await stage.run(LINE)
    return await stage.file(MACHINE, "/etc/hosts"), await stage.file(one, "/etc/hosts")


def judge(seen: tuple[str, str]) -> Judgement:
    """The new name is there, those of the machine are not."""
    machine, inside = (names_in(text) for text in seen)
    evidence = (f"names of the machine: {machine}", f"names in the container: {inside}")
    kept = sorted(machine.keys() & inside.keys())
    if kept:
        return differs(f"The machine's names are still there: {', '.join(kept)}.", *evidence)
    return proves("other" in inside, "The added name is missing.", *evidence)


CLAIM = Claim(
    id="add-host-discards",
    topic=Topic.DNS,
    statement="In host mode any --add-host discards the machine's /etc/hosts: the container starts from a fresh file.",
    source="Moby, daemon/container_operations_unix.go",
    exact="“Adds an entry” is what the option says and does in the other modes. Add the entries you need as well.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID cat /etc/hosts"),
    needs=frozenset({Need.ALONE}),
    counter={" --add-host other:192.0.2.7": ""},
)
