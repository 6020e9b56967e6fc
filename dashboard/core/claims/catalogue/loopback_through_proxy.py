"""127.0.0.1 goes through docker-proxy: the DNAT rule counts nothing."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, differs, proves
from dashboard.core.modes import MACHINE
from dashboard.core.paths.nat_rules import packets_to

LINE = "docker run -d -p 8104:80 IMAGE"

Seen = tuple[int, int, Answer, str]


async def observe(stage: Stage) -> Seen:
    """The rule's counter before and after a request, and whom the server saw."""
    one = await stage.run(LINE)
    await stage.serving(one, 80)
    before = packets_to(await stage.rules(), 8104)
    answer = await stage.request(MACHINE, "127.0.0.1", 8104)
    return before, packets_to(await stage.rules(), 8104), answer, one.gateway


def judge(seen: Seen) -> Judgement:
    """An answer without a packet more, from the gateway's address."""
    before, after, answer, gateway = seen
    evidence = (
        f"packets that the DNAT rule of port 8104 took: {before} before, {after} after",
        f"GET: {answer.said}; the network's gateway is {gateway}",
    )
    if answer.status != 200:
        return differs("Nothing answers there.", *evidence)
    return proves(before == after and answer.client_seen == gateway, "The packets were translated (DNAT).", *evidence)


CLAIM = Claim(
    id="loopback-through-proxy",
    topic=Topic.PUBLISHING,
    statement="A request to a published port at 127.0.0.1 goes through docker-proxy: no DNAT rule takes it, and the "
    "server sees the bridge's gateway as its client.",
    source="Moby, libnetwork/drivers/bridge/setup_ip_tables_linux.go: ! -d 127.0.0.0/8",
    exact="“Docker maps the port with iptables” is half of it: what you type most, localhost, is the other half.",
    observe=observe,
    judge=judge,
    lines=(LINE, "iptables-save -c -t nat", "curl http://127.0.0.1:8104/", "iptables-save -c -t nat"),
    needs=frozenset({Need.PRIVATE}),
    counter={"127.0.0.1": "{machine}"},
)
