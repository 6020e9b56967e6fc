"""Host mode reaches a service that the machine binds to 127.0.0.1."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_machine_server
from dashboard.core.claims.testbed import Response

LINE = "docker run -d --network host IMAGE sleep 60"


def judge(response: Response) -> Judgement:
    """Holds if the machine's service answers."""
    evidence = f"GET http://127.0.0.1:8115/ from the container: {response.summary}"
    return holds_if(response.status == 200, "The machine's loopback is unreachable.", evidence)


CLAIM = Claim(
    id="loopback-from-host",
    topic=Topic.INTERFERENCE,
    statement="A container in host mode reaches services that the machine binds to 127.0.0.1, such as a database.",
    source="Docker documentation, “Host network driver”; network_namespaces(7)",
    exact="“Bound to loopback, so it is safe” does not apply to containers in host mode.",
    observe=observe_machine_server(LINE, "127.0.0.1", 8115),
    judge=judge,
    lines=(LINE, "docker exec ID wget -qO- http://127.0.0.1:8115/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
