"""A container in host mode takes a port from the machine's own services."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.testbed import Testbed

LINE = "docker run -d --network host IMAGE httpd -f -p 8118"


async def observe(testbed: Testbed) -> str:
    """The kernel's refusal to a service of the machine that wants the same port."""
    container = await testbed.run(LINE)
    await testbed.wait_listening(container, 8118)
    return await testbed.serve_on_machine("127.0.0.1", 8118)


def judge(refusal: str) -> Judgement:
    """Holds if the kernel refuses the port."""
    evidence = f"the machine's own service on port 8118: {refusal or 'listens'}"
    return holds_if("in use" in refusal.lower(), "The machine's service got the port.", evidence)


CLAIM = Claim(
    id="host-takes-port",
    topic=Topic.INTERFERENCE,
    statement="A server in host mode takes its port from the machine's own services.",
    source="Docker documentation, “Host network driver”; bind(2)",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
