"""The claim that host mode shares the network of the Linux kernel on which the Engine runs."""

from collections.abc import Mapping

from dashboard.core.claims.extract import describe_inodes
from dashboard.core.claims.model import Claim, Judgement, Topic, differs, holds_if
from dashboard.core.claims.testbed import NotTestableError, Testbed
from dashboard.core.modes import MACHINE

LINE = "docker run -d --network host IMAGE sleep 60"

Observed = tuple[Mapping[str, int], Mapping[str, int], str]


async def observe(testbed: Testbed) -> Observed:
    """Returns the namespaces of the Engine and of the container, and the kernel's name. Raises NotTestableError
    if uname fails."""
    container = await testbed.run(LINE)
    code, kernel = await testbed.execute(container, "uname -sr")
    if code != 0 or not kernel.strip():
        raise NotTestableError(f"uname did not run in the container (code {code}): {kernel.strip() or 'no output'}.")
    return await testbed.namespaces(MACHINE), await testbed.namespaces(container), kernel.strip()


def judge(observed: Observed) -> Judgement:
    """The claim holds if the container is in the Engine's network namespace and the kernel is Linux."""
    engine, inside, kernel = observed
    evidence = (
        f"kernel of the container: {kernel}",
        *describe_inodes("net", {"the Engine": engine, "the container": inside}),
    )
    if not kernel.startswith("Linux"):
        return differs("The container's kernel is not Linux.", *evidence)
    return holds_if(engine["net"] == inside["net"], "The container's network namespace is not the Engine's.", *evidence)


CLAIM = Claim(
    id="linux-kernel",
    topic=Topic.WHEN,
    statement="Host mode works where the Engine runs on Linux itself: it shares the network namespace of the Engine's "
    "process.",
    source="Docker documentation, “Host network driver”",
    exact="“Works on Linux only” is out of date: Docker Desktop since 4.34 has host mode as an option, for TCP and "
    "UDP. It shares the interfaces of its virtual machine, not of your computer.",
    observe=observe,
    judge=judge,
    lines=(LINE, "docker exec ID uname -sr"),
    mutation={"--network host": "--network none"},
)
