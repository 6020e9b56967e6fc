"""In host mode the server sees the real client."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Response, Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host -e NETMODES_PORT=8107 IMAGE"


async def observe(testbed: Testbed) -> Response:
    """A request over loopback."""
    await testbed.run(LINE)
    await testbed.wait_listening(MACHINE, 8107)
    return await testbed.request(MACHINE, "127.0.0.1", 8107)


def judge(response: Response) -> Judgement:
    """Holds if the server sees 127.0.0.1."""
    evidence = f"GET http://127.0.0.1:8107/: {response.summary}"
    return holds_if(response.client_seen == "127.0.0.1", "The server sees another address.", evidence)


CLAIM = Claim(
    id="host-client-address",
    topic=Topic.PUBLISHING,
    statement="In host mode the server sees the real client: 127.0.0.1 for a request from the machine itself.",
    source="Docker documentation, “Host network driver”: no NAT and no proxy",
    observe=observe,
    judge=judge,
    lines=(LINE, "curl http://127.0.0.1:8107/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host -e NETMODES_PORT=8107": "-p 8107:80"},
)
