"""Claims about the name of a container, looked up in another container: in which modes the name resolves, and to which
address."""

from dashboard.core.claims.judges import describe_lookup, judge_not_found, judge_resolved
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_lookup, run_lines
from dashboard.core.claims.testbed import Testbed
from dashboard.core.namespaces.state import Lookup

NETWORK = "docker network create lab"
ON_NETWORK = "docker run -d --name web --network {lab} IMAGE sleep 60"
ON_BRIDGE = "docker run -d --name web --network bridge IMAGE sleep 60"
WITH_ALIAS = "docker run -d --name web --network {lab} --network-alias shop IMAGE sleep 60"
CLIENT_ON_NETWORK = "docker run -d --network {lab} IMAGE sleep 60"
CLIENT_ON_BRIDGE = "docker run -d --network bridge IMAGE sleep 60"
CLIENT_IN_HOST_MODE = "docker run -d --network host IMAGE sleep 60"
SEVERAL = (
    NETWORK,
    "docker run -d --network {lab} --network-alias api IMAGE sleep 60",
    "docker run -d --network {lab} --network-alias api --name second IMAGE sleep 60",
)
NOT_CONNECTED = (
    NETWORK,
    "docker network create other",
    "docker run -d --name web --network {lab} IMAGE sleep 60",
    "docker run -d --name client --network {other} IMAGE sleep 60",
)
CONNECT = "docker network connect {lab} client"

#: A lookup before and after docker network connect, and the refusal if there is one.
Connected = tuple[Lookup, Lookup, str]


async def observe_alias(testbed: Testbed) -> tuple[Lookup, set[str]]:
    """Starts two containers with the same alias and resolves the alias in the second one; returns the lookup and the
    addresses of both containers."""
    first, second = await run_lines(testbed, *SEVERAL)
    return await testbed.lookup(second, "api"), {first.address, second.address}


def judge_both(observed: tuple[Lookup, set[str]]) -> Judgement:
    """The claim holds if the alias resolves to the addresses of both containers."""
    lookup, addresses = observed
    evidence = (describe_lookup(lookup), f"addresses of the containers: {', '.join(sorted(addresses))}")
    return holds_if(set(lookup.answers) == addresses, "The answer does not contain both addresses.", *evidence)


async def observe_connection(testbed: Testbed) -> Connected:
    """Resolves a name before and after ``docker network connect``; returns both lookups and the Engine's refusal, if
    any."""
    _web, client = await run_lines(testbed, *NOT_CONNECTED)
    before = await testbed.lookup(client, "{web}")
    refusal = await testbed.connect_network("{lab}", client)
    return before, await testbed.lookup(client, "{web}"), refusal


def judge_connected(observed: Connected) -> Judgement:
    """The claim holds if the name resolves only after the container was connected to the network."""
    before, after, refusal = observed
    evidence = (
        f"before, {describe_lookup(before)}",
        f"docker network connect: {refusal or 'accepted'}",
        f"after, {describe_lookup(after)}",
    )
    return holds_if(not before.answers and bool(after.answers), "The connection made no difference.", *evidence)


CLAIMS = (
    Claim(
        id="names-on-user-network",
        topic=Topic.DNS,
        statement="On a user-defined network containers resolve each other's names.",
        source="Docker documentation, “Bridge network driver”, differences between user-defined bridges and the "
        "default one",
        observe=observe_lookup("{web}", NETWORK, ON_NETWORK, CLIENT_ON_NETWORK),
        judge=judge_resolved,
        lines=(NETWORK, ON_NETWORK, CLIENT_ON_NETWORK, "docker exec ID nslookup web"),
        mutation={"--network {lab}": "--network bridge"},
    ),
    Claim(
        id="network-alias",
        topic=Topic.DNS,
        statement="--network-alias gives a container an additional name on a user-defined network.",
        source="docker-run(1), --network-alias",
        observe=observe_lookup("shop", NETWORK, WITH_ALIAS, CLIENT_ON_NETWORK),
        judge=judge_resolved,
        lines=(NETWORK, WITH_ALIAS, CLIENT_ON_NETWORK),
        mutation={" --network-alias shop": ""},
    ),
    Claim(
        id="names-not-on-bridge",
        topic=Topic.DNS,
        statement="On the default bridge containers cannot resolve each other's names.",
        source="Docker documentation, “Bridge network driver”",
        exact="The legacy --link writes the name into the hosts file; use a user-defined network instead.",
        observe=observe_lookup("{web}", NETWORK, ON_BRIDGE, CLIENT_ON_BRIDGE),
        judge=judge_not_found,
        lines=(ON_BRIDGE, CLIENT_ON_BRIDGE, "docker exec ID nslookup web"),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network bridge": "--network {lab}"},
    ),
    Claim(
        id="names-not-in-host-mode",
        topic=Topic.DNS,
        statement="A container in host mode cannot resolve container names, not even those on a user-defined network.",
        source="Docker documentation, “Host network driver”",
        exact="It is on no Docker network: use the other container's address or its published port.",
        observe=observe_lookup("{web}", NETWORK, ON_NETWORK, CLIENT_IN_HOST_MODE),
        judge=judge_not_found,
        lines=(NETWORK, ON_NETWORK, CLIENT_IN_HOST_MODE),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network host": "--network {lab}"},
    ),
    Claim(
        id="alias-of-several",
        topic=Topic.DNS,
        statement="Containers with the same --network-alias share the name: a lookup returns all their addresses.",
        source="docker-run(1), --network-alias",
        observe=observe_alias,
        judge=judge_both,
        lines=(*SEVERAL, "docker exec second nslookup api"),
        mutation={"--network-alias api --name second": "--name second"},
    ),
    Claim(
        id="connect-adds-names",
        topic=Topic.DNS,
        statement="docker network connect lets a running container resolve the names on the network at once, without a "
        "restart.",
        source="Docker documentation, “Bridge network driver”",
        observe=observe_connection,
        judge=judge_connected,
        lines=(*NOT_CONNECTED, CONNECT, "docker exec client nslookup web"),
        mutation={"--name web --network {lab}": "--name web --network bridge"},
    ),
)
