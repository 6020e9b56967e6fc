"""A macvlan container cannot reach its own machine."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import run_lines
from dashboard.core.claims.testbed import Response, Testbed

NETWORK = "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab"
LINE = "docker run -d --network {lab} --ip 192.0.2.50 IMAGE sleep 60"


async def observe(testbed: Testbed) -> Response:
    """A request from the container to the machine's address."""
    await testbed.serve_on_machine("{machine}", 8121)
    (container,) = await run_lines(testbed, NETWORK, LINE)
    return await testbed.request(container, "{machine}", 8121)


def judge(response: Response) -> Judgement:
    """Holds if the machine does not answer."""
    evidence = f"GET at the machine's address: {response.summary}"
    return holds_if(not response.connected, "The machine is reachable.", evidence)


CLAIM = Claim(
    id="macvlan-not-the-machine",
    topic=Topic.BRIDGE,
    statement="A macvlan container cannot reach its own machine through the parent interface.",
    source="Docker documentation, “Macvlan network driver”; ip-link(8), macvlan",
    exact="It reaches every other machine on the LAN: the kernel isolates parent and macvlan.",
    observe=observe,
    judge=judge,
    lines=(NETWORK, LINE),
    needs=frozenset({Need.PRIVATE}),
    mutation={
        "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.202.0/24",
        "--ip 192.0.2.50": "--ip 10.213.202.50",
    },
)
