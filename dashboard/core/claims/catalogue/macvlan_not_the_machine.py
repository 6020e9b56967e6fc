"""A macvlan container does not reach its own machine."""

from __future__ import annotations

from dashboard.core.claims.model import Answer, Claim, Judgement, Need, Stage, Topic, proves

NETWORK = "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab"
LINE = "docker run -d --network {lab} --ip 192.0.2.50 IMAGE sleep 60"


async def observe(stage: Stage) -> Answer:
    """A request from the container to the machine's address."""
    await stage.serve_on_machine("{machine}", 8121)
    await stage.network(NETWORK)
    return await stage.request(await stage.run(LINE), "{machine}", 8121)


def judge(seen: Answer) -> Judgement:
    """Nobody answers."""
    evidence = f"GET at the machine's address: {seen.said}"
    return proves(not seen.connected, "The machine is reached.", evidence)


CLAIM = Claim(
    id="macvlan-not-the-machine",
    topic=Topic.BRIDGE,
    statement="A macvlan container cannot reach its own machine through the parent interface.",
    source="Docker documentation, “Macvlan network driver”; ip-link(8), macvlan",
    exact="It reaches every other machine of the LAN: the kernel keeps parent and macvlan apart.",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE),
    needs=frozenset({Need.PRIVATE, Need.MACVLAN}),
    counter={
        "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.202.0/24",
        "--ip 192.0.2.50": "--ip 10.213.202.50",
    },
)
