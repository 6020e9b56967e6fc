"""Builds claims that differ only in their command lines and expected results, and defines expectations for engines on
which a claim cannot be tested."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, EngineCondition
from dashboard.core.claims.exchanges import Ask, Expected, judge_exchanges, observe_exchanges, observe_exchanges_on
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import bracket

#: The end of a line that is typed on another machine.
ON_NEIGHBOUR = "  # on another machine"

NO_RULES = Expectation(
    EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it writes no rules."
)
PODMAN_HAS_NO_DOCKER_USER = Expectation(PODMAN, not_testable="Podman has no DOCKER-USER.")
NO_DOCKER_USER = Expectation(
    EngineCondition(iptables=False), not_testable="This Engine runs with iptables=false: it has no DOCKER-USER."
)
NOTHING_PUBLISHED = Expectation(
    EngineCondition(iptables=False), not_testable="With iptables=false and no docker-proxy nothing is published."
)
ROOTLESSPORT = Expectation(
    ROOTLESS_PODMAN,
    not_testable="Without root, rootlessport forwards requests: the server sees an address of its own network.",
)
ONE_NETWORK = Expectation(
    EngineCondition(before_api=(1, 44)), not_testable="Before API 1.44 a container is created with one network."
)


class Details(TypedDict, total=False):
    """The optional fields of a claim, which the constructors pass on unchanged."""

    exact: str
    otherwise: tuple[Expectation, ...]


def show_ask(ask: Ask) -> tuple[str, ...]:
    """Returns the commands that a person types to send this request. In the commands, ``ADDRESS`` and ``GATEWAY`` stand
    for the address and the gateway of a container."""
    kind = ask.address.rpartition(".")[2]
    host = kind.upper() if kind in {"address", "gateway"} else bracket(ask.address)
    url = f"http://{host}/" if ask.port == 80 else f"http://{host}:{ask.port}/"
    if ask.sender not in {MACHINE, NEIGHBOUR}:
        return (f"docker exec {ask.sender} wget -O- {url}",)
    where = ON_NEIGHBOUR if ask.sender == NEIGHBOUR else ""
    route = (f"ip route add SUBNET via MACHINE{where}",) if ask.routed else ()
    return (*route, f"curl {url}{where}")


def exchange_claim(
    claim_id: str,
    topic: Topic,
    *,
    statement: str,
    source: str,
    lines: Sequence[str],
    asks: Mapping[Ask, Expected],
    mutation: Mapping[str, str],
    needs: frozenset[Need] = frozenset({Need.PRIVATE}),
    matched: bool | None = None,
    daemon: str = "",
    **details: Unpack[Details],
) -> Claim:
    """Builds a claim about HTTP requests, which are sent after ``lines`` have been executed.

    ``asks`` maps each request to its expected result. ``matched`` tells whether the firewall rules in ``lines`` that
    have a ``--comment`` must match packets; if it is None, the claim says nothing about them. ``daemon`` is a line
    ``dockerd …``. If it is given, the claim starts an engine with this line. By default, the claim needs a private
    host.
    """
    observe = observe_exchanges_on(daemon, lines, *asks) if daemon else observe_exchanges(lines, *asks)
    shown = [line for ask in asks for line in show_ask(ask)]
    return Claim(
        id=claim_id,
        topic=topic,
        statement=statement,
        source=source,
        observe=observe,
        judge=judge_exchanges(*asks.values(), matched=matched),
        lines=(*([daemon] if daemon else []), *lines, *shown),
        needs=needs,
        mutation=mutation,
        **details,
    )
