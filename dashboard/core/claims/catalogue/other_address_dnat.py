"""Any other address of the machine is translated in the kernel."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.paths.nat_rules import packets_to

LINE = "docker run -d -p 8105:80 IMAGE"

Seen = tuple[int, int, Answer]


async def observe(stage: Stage) -> Seen:
    """The rule's counter before and after a request, and whom the server saw."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    before = packets_to(await stage.rules(), 8105)
    answer = await stage.request(MACHINE, "{machine}", 8105)
    return before, packets_to(await stage.rules(), 8105), answer


def judge(seen: Seen) -> Judgement:
    """An answer, and the rule has counted."""
    before, after, answer = seen
    evidence = (f"packets that the DNAT rule of port 8105 took: {before} before, {after} after", f"GET: {answer.said}")
    if answer.status != 200:
        return differs("Nothing answers there.", *evidence)
    return proves(after > before, "No DNAT rule took the packets.", *evidence)


CLAIM = Claim(
    id="other-address-dnat",
    topic=Topic.PUBLISHING,
    statement="A request to a published port at any other address of the machine is translated by the kernel (DNAT): "
    "the rule's counter goes up.",
    source="Moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go; iptables-save(8)",
    observe=observe,
    judge=judge,
    lines=(LINE, "iptables-save -c -t nat", "curl http://{machine}:8105/", "iptables-save -c -t nat"),
    needs=frozenset({Need.PRIVATE}),
    counter={"{machine}": "127.0.0.1"},
)
