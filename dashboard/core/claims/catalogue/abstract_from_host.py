"""Abstract unix sockets belong to the network namespace: host mode shares them."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Stage, Topic, proves

LINE = "docker run -d --network host IMAGE sleep 60"
NAME = "@netmodes-claim-host"


async def observe(stage: Stage) -> Answer:
    """A request over an abstract socket of the machine."""
    await stage.serve_on_machine(NAME)
    return await stage.request(await stage.run(LINE), NAME)


def judge(seen: Answer) -> Judgement:
    """An answer."""
    evidence = f"connect to {NAME} from the container: {'answered' if seen.connected else seen.error}"
    return proves(seen.connected, "The socket is not there.", evidence)


CLAIM = Claim(
    id="abstract-from-host",
    topic=Topic.INTERFERENCE,
    statement="Abstract unix sockets of the machine are reached from a container in host mode, without any mount.",
    source="unix(7), abstract sockets; network_namespaces(7)",
    exact="Rarely mentioned: older containerd shims could be taken over this way (CVE-2020-15257).",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID grep @ /proc/net/unix"),
    counter={"--network host": "--network bridge"},
)
