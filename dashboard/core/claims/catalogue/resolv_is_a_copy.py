"""A later edit of the machine's resolv.conf does not reach the container."""

from dashboard.core.claims.extract import nameservers, on_one_line
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Files
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"
BEFORE, AFTER = "nameserver 192.0.2.53\n", "nameserver 192.0.2.54\n"


async def observe(testbed: Testbed) -> Files:
    """Both files after the edit."""
    await testbed.write_file("/etc/resolv.conf", BEFORE)
    container = await testbed.run(LINE)
    await testbed.write_file("/etc/resolv.conf", AFTER)
    return (
        await testbed.read_file(MACHINE, "/etc/resolv.conf"),
        await testbed.read_file(container, "/etc/resolv.conf"),
    )


def judge(files: Files) -> Judgement:
    """Holds if the servers differ."""
    machine, inside = files
    evidence = (f"resolv.conf of the machine now: {on_one_line(machine)}", f"in the container: {on_one_line(inside)}")
    proved = nameservers(machine) != nameservers(inside)
    return holds_if(proved, "The container has the machine's current servers.", *evidence)


CLAIM = Claim(
    id="resolv-is-a-copy",
    topic=Topic.DNS,
    statement="Host mode has a copy of resolv.conf: the container does not see later edits on the machine until it "
    "starts again.",
    source="Moby, libnetwork/sandbox_dns_unix.go",
    exact="“Uses the host's DNS” suggests that it follows changes; it does not, as laptops notice when they change "
    "networks.",
    observe=observe,
    judge=judge,
    lines=(LINE, "echo nameserver 192.0.2.54 > /etc/resolv.conf", "docker exec ID cat /etc/resolv.conf"),
    needs=frozenset({Need.ALONE}),
    mutation={"192.0.2.54": "192.0.2.53"},
)
