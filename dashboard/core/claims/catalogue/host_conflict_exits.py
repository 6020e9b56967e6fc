"""Two servers on one port in host mode: the second starts, then exits."""

from dashboard.core.claims.judges import judge_exit
from dashboard.core.claims.model import Claim, Judgement, Need, Topic, differs
from dashboard.core.claims.observers import ServerOutcome, wait_served_or_exited
from dashboard.core.claims.testbed import Testbed

LINE = "docker run -d --network host IMAGE httpd -f -p 8113"


async def observe(testbed: Testbed) -> ServerOutcome:
    """The second of two servers."""
    first = await testbed.run(LINE)
    await testbed.wait_listening(first, 8113)
    second = await testbed.try_run(LINE)
    return (second, False) if second.refused else await wait_served_or_exited(testbed, second, 8113)


def judge(outcome: ServerOutcome) -> Judgement:
    """Holds if the Engine accepts the container and the kernel refuses the port."""
    second, _ = outcome
    evidence = (f"docker run: {'refused' if second.refused else 'accepted'}", f"afterwards: {second.summary}")
    if second.refused:
        return differs("The Engine refused it.", *evidence)
    return judge_exit(outcome, "in use", "The second server runs too.", *evidence)


CLAIM = Claim(
    id="host-conflict-exits",
    topic=Topic.INTERFERENCE,
    statement="Two servers on one port in host mode: docker run succeeds for the second as well, then the server exits "
    "with “Address already in use”.",
    source="Docker documentation, “Host network driver”; bind(2), EADDRINUSE",
    exact="The Engine checks no ports in host mode: look at docker ps -a and docker logs, not at the exit code of "
    "docker run -d.",
    observe=observe,
    judge=judge,
    lines=(LINE, LINE),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
)
