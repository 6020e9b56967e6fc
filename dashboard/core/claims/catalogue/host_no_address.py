"""In host mode the container has no IP address of its own."""

from dashboard.core.claims.model import Claim, Judgement, Topic, holds_if
from dashboard.core.claims.observers import observe_container
from dashboard.core.claims.testbed import Container

LINE = "docker run -d --network host IMAGE sleep 60"


def judge(container: Container) -> Judgement:
    """Holds if no network of the container has an address."""
    evidence = [
        f"NetworkSettings.Networks.{name}.IPAddress: {address or 'empty'}"
        for name, address in container.addresses.items()
    ]
    return holds_if(not container.address, f"The Engine gave it {container.address}.", *evidence)


CLAIM = Claim(
    id="host-no-address",
    topic=Topic.ISOLATION,
    statement="In host mode the container gets no IP address of its own.",
    source="Docker documentation, “Host network driver”",
    observe=observe_container(LINE),
    judge=judge,
    lines=(LINE,),
    mutation={"--network host": "--network bridge"},
)
