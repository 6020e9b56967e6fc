"""The claim that --mac-address has no effect in host mode; before API 1.44, the Engine refuses the option."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Topic, differs, holds_if
from dashboard.core.claims.testbed import Container, Testbed

LINE = "docker run -d --network host --mac-address 02:42:ac:11:00:99 IMAGE sleep 60"

Observed = tuple[Container, tuple[str, ...]]


async def observe(testbed: Testbed) -> Observed:
    """Returns the container and the hardware addresses of its interfaces; no addresses if the Engine refuses the
    container."""
    container = await testbed.try_run(LINE)
    if container.refused:
        return container, ()
    return container, tuple(link.mac for link in (await testbed.state(container)).interfaces if link.mac)


def judge(observed: Observed) -> Judgement:
    """The claim holds if the Engine accepts the option, and no interface has the MAC address that the option gives."""
    container, macs = observed
    evidence = (f"docker run: {container.summary}", f"hardware addresses: {', '.join(macs) or 'none'}")
    if container.refused:
        return differs("The Engine refused it.", *evidence)
    return holds_if("02:42:ac:11:00:99" not in macs, "An interface has the address.", *evidence)


def judge_refusal(observed: Observed) -> Judgement:
    """The claim holds if the Engine refuses the option. Docker's message contains “mac-address”, Podman's contains “mac
    address”."""
    container, _macs = observed
    proved = "mac-address" in container.refused or "mac address" in container.refused
    return holds_if(proved, "The Engine did not refuse it.", f"docker run: {container.summary}")


CLAIM = Claim(
    id="mac-ignored",
    topic=Topic.WHEN,
    statement="--mac-address in host mode is accepted and has no effect.",
    source="Moby, api/server/router/container/container_routes.go: handleMACAddressBC; runconfig/hostconfig.go",
    observe=observe,
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
    otherwise=(
        Expectation(PODMAN, statement="--mac-address is refused in host mode.", judge=judge_refusal),
        Expectation(
            EngineCondition(before_api=(1, 44)),
            statement="--mac-address is refused in host mode.",
            judge=judge_refusal,
        ),
    ),
)
