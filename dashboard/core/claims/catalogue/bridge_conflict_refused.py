"""Two containers on one published port: the Engine refuses the second."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import observe_refusal
from dashboard.core.claims.testbed import Container

LINE = "docker run -d -p 8114:80 IMAGE sleep 60"


def judge(second: Container) -> Judgement:
    """Holds if the second container is refused at start and stays created."""
    evidence = (f"docker run: {second.summary}", f"state of the second container: {second.status}")
    proved = second.refused_at == "start" and second.status == "created"
    return holds_if(proved, "The Engine did not refuse it at start.", *evidence)


CLAIM = Claim(
    id="bridge-conflict-refused",
    topic=Topic.INTERFERENCE,
    statement="Two containers on one published port: the Engine refuses to start the second, which stays Created.",
    source="Moby, libnetwork/portallocator",
    observe=observe_refusal(LINE, LINE),
    judge=judge,
    lines=(LINE, LINE),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8114:80": "-p 80"},
)
