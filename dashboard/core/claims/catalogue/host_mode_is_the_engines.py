"""The claim that host mode uses the network namespace of the Engine's process."""

from collections.abc import Mapping

from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --network host IMAGE sleep 60",)

Observed = tuple[Mapping[str, int], Mapping[str, int], str]


async def observe(testbed: Testbed) -> Observed:
    """Returns the namespaces of the Engine and of the container, and the addresses of eth0 that ``ip`` prints inside
    the container."""
    container = await testbed.run(LINES[0])
    _code, addresses = await testbed.execute(container, "ip -4 -o address show eth0")
    return await testbed.namespaces(MACHINE), await testbed.namespaces(container), addresses.strip()


def judge(observed: Observed) -> Judgement:
    """The claim holds if the container is in the Engine's network namespace and its eth0 has the private host's address
    on the LAN."""
    engine, inside, addresses = observed
    evidence = (
        *describe_inodes("net", {"the Engine": engine, "the container": inside}),
        f"address of eth0 in the container: {addresses or 'none'}",
    )
    proved = engine["net"] == inside["net"] and "192.0.2.2/24" in addresses
    return holds_if(proved, "The container is in another network namespace.", *evidence)


CLAIM = Claim(
    id="host-mode-is-the-engines",
    topic=Topic.WHEN,
    statement="Host mode uses the network namespace of the Engine's process, even if that is not the machine's "
    "initial one, as with RootlessKit before 29.5 and in the virtual machine of Docker Desktop.",
    source="network_namespaces(7); Docker documentation, “Rootless mode”: Troubleshooting",
    exact="A private host of Netmodes has its own network namespace, like a rootless engine.",
    observe=observe,
    judge=judge,
    lines=(*LINES, "readlink /proc/$(pidof dockerd)/ns/net"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
