"""Host mode inherits the machine's hosts file."""

from __future__ import annotations

from dashboard.core.claims.extract import names_in
from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Topic, proves
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
HOSTS = "127.0.0.1 localhost\n192.0.2.77 database.lab.example database\n"


async def observe(stage: Stage) -> tuple[str, str]:
    """Both files."""
    await stage.set_file("/etc/hosts", HOSTS)
    one = await stage.run(LINE)
    return await stage.file(MACHINE, "/etc/hosts"), await stage.file(one, "/etc/hosts")


def judge(seen: tuple[str, str]) -> Judgement:
    """Every name of the machine is there."""
    machine, inside = (names_in(text) for text in seen)
    evidence = (f"names of the machine: {machine}", f"names in the container: {inside}")
    return proves(machine.items() <= inside.items(), "Names of the machine are missing.", *evidence)


CLAIM = Claim(
    id="hosts-inherited",
    topic=Topic.DNS,
    statement="In host mode the container inherits the machine's /etc/hosts.",
    source="Moby, daemon/container_operations_unix.go: the hosts file of host mode",
    observe=observe,
    judge=judge,
    lines=("cat /etc/hosts", LINE, "docker exec ID cat /etc/hosts"),
    needs=frozenset({Need.ALONE}),
    counter={"--network host": "--network bridge"},
)
