"""Claims about exchanges: the lines that a person types follow from the requests."""

import pytest

from dashboard.core.claims.constructors import exchange_claim, show_ask
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, Exchanges, answers
from dashboard.core.claims.model import Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR, Response
from dashboard.core.modes import MACHINE
from dashboard.core.reports.model import ClaimVerdict


@pytest.mark.parametrize(
    ("ask", "lines"),
    [
        (Ask(MACHINE, "127.0.0.1", 8100), ("curl http://127.0.0.1:8100/",)),
        (Ask(MACHINE, "::1", 80), ("curl http://[::1]/",)),
        (Ask(NEIGHBOUR, "{machine}", 8100), ("curl http://{machine}:8100/  # on another machine",)),
        (Ask("client", "web.address", 80), ("docker exec client wget -O- http://ADDRESS/",)),
        (Ask("client", "client.gateway", 8100), ("docker exec client wget -O- http://GATEWAY:8100/",)),
        (
            Ask(NEIGHBOUR, "web.address", 80, routed=True),
            (
                "ip route add SUBNET via MACHINE  # on another machine",
                "curl http://ADDRESS/  # on another machine",
            ),
        ),
    ],
)
def test_a_request_is_shown_as_it_is_typed(ask: Ask, lines: tuple[str, ...]) -> None:
    assert show_ask(ask) == lines


def test_a_claim_about_exchanges_has_its_lines_its_requests_and_what_is_expected() -> None:
    claim = exchange_claim(
        "two-addresses",
        Topic.PUBLISHING,
        statement="One address answers.",
        source="docker-run(1)",
        daemon="dockerd --ip=127.0.0.1",
        lines=("docker run -d --name web -p 8100:80 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8100): answers("127.0.0.1"), Ask(MACHINE, "::1", 8100): NO_CONNECTION},
        mutation={"--ip=127.0.0.1": ""},
        needs=frozenset({Need.OWN_HOST}),
    )
    assert claim.lines == (
        "dockerd --ip=127.0.0.1",
        "docker run -d --name web -p 8100:80 IMAGE",
        "curl http://127.0.0.1:8100/",
        "curl http://[::1]:8100/",
    )
    assert (claim.id, claim.needs, claim.exact) == ("two-addresses", frozenset({Need.OWN_HOST}), "")
    answered = ("GET", Response(200, client_seen="127.0.0.1", connected=True))
    refused = ("GET", Response(None, error="refused"))
    assert claim.judge(Exchanges(responses=(answered, refused))).verdict is ClaimVerdict.HOLDS
    assert claim.judge(Exchanges(responses=(answered, answered))).verdict is ClaimVerdict.DIFFERS
