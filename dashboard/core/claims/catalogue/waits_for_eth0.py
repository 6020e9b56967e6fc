"""A program that waits for an interface which never comes."""

from __future__ import annotations

from dashboard.core.claims.extract import names_of
from dashboard.core.claims.model import Claim, Container, Judgement, Stage, Topic, differs, proves
from dashboard.core.namespaces.state import NamespaceState

LINE = "docker run -d --network none IMAGE sh -c 'until ip link show eth0; do usleep 200000; done; exec httpd -f -p 80'"

Seen = tuple[NamespaceState, bool, Container]


async def observe(stage: Stage) -> Seen:
    """The container, whether it serves within three seconds, and how it is then."""
    one = await stage.run(LINE)
    state = await stage.state(one)
    return state, await stage.serving(one, 80), await stage.again(one)


def judge(seen: Seen) -> Judgement:
    """It runs, and serves nothing."""
    state, serves, one = seen
    evidence = (
        f"interfaces in the container: {', '.join(names_of(state))}",
        f"state of the container: {one.said}",
        f"port 80 is listened on after three seconds: {'yes' if serves else 'no'}",
    )
    if one.status != "running":
        return differs("The container does not run.", *evidence)
    return proves(not serves, "The program found its interface.", *evidence)


CLAIM = Claim(
    id="waits-for-eth0",
    topic=Topic.BRIDGE,
    statement="A program that waits for eth0 waits for ever with --network none, and docker ps shows it as running.",
    source="Docker documentation, “None network driver”",
    exact="In host mode it is worse: eth0 is then the machine's, if it has one by that name, and the program takes "
    "the machine's address for its own.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID ip link"),
    counter={"--network none": "--network bridge"},
)
