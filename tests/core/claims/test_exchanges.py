"""The lines of a claim executed in order, requests compared with what is expected, and changes reverted."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.core.claims.exchanges import (
    NO_CONNECTION,
    Ask,
    Exchanges,
    answers,
    judge_exchanges,
    observe_exchanges,
    observe_exchanges_on,
    undo_line,
)
from dashboard.core.claims.testbed import NEIGHBOUR, ROUTER, Container, Response
from dashboard.core.modes import MACHINE
from dashboard.core.reports.model import ClaimVerdict

NETWORKS = {"bridge": {"IPAddress": "172.17.0.2", "Gateway": "172.17.0.1"}}
WEB = Container("docker run -d --name web -p 8000:80 IMAGE", "1", inspected={"NetworkSettings": {"Networks": NETWORKS}})
OK = Response(200, client_seen="172.17.0.1", connected=True)
REFUSED = Response(None, error="refused")
EMPTY = Response(None, error="closed", connected=True)


class RecordingTestbed:
    """Records the calls of a claim, and answers all requests alike."""

    def __init__(self, response: Response = OK) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._response = response

    async def create_network(self, line: str) -> str:
        self.calls.append(("network", line))
        return "lab"

    async def run(self, line: str) -> Container:
        self.calls.append(("run", line))
        return Container(line, line, inspected=WEB.inspected)

    async def wait_listening(self, place: object, port: int) -> bool:
        self.calls.append(("listening", port))
        return True

    async def serve_on_machine(self, address: str, port: int = 0) -> str:
        self.calls.append(("serve", MACHINE, address, port))
        return ""

    async def serve_on_lan(self, place: str, address: str, port: int) -> None:
        self.calls.append(("serve", place, address, port))

    async def alter(self, line: str, undo: str, place: str = MACHINE) -> None:
        self.calls.append(("alter", line, undo, place))

    async def execute(self, _place: object, command: str) -> tuple[int, str]:
        self.calls.append(("execute", command))
        return (
            0,
            "[7:420] -A INPUT -p tcp --dport 8000 -m comment --comment nm-8000 -j DROP\n[0:0] -A FORWARD -j DROP\n",
        )

    async def request(self, place: object, address: str, port: int = 0) -> Response:
        self.calls.append(("request", place if isinstance(place, str) else "container", address, port))
        return self._response

    async def request_from_lan(self, address: str, port: int) -> Response:
        self.calls.append(("routed", address, port))
        return self._response

    async def start_engine(self, line: str, _setup: str = "") -> RecordingTestbed:
        self.calls.append(("engine", line))
        return self


async def test_a_container_without_an_address_gets_no_request() -> None:
    class WithoutAddress(RecordingTestbed):
        async def run(self, line: str) -> Container:
            return Container(line, line)

    testbed = WithoutAddress()
    lines = ("docker run -d --name web --network none IMAGE sleep 60",)
    asks = (Ask(MACHINE, "web.address", 80), Ask(NEIGHBOUR, "web.address", 80, routed=True))
    observed = await observe_exchanges(lines, *asks)(testbed)  # type: ignore[arg-type]
    assert testbed.calls == []
    assert observed.evidence == (
        "GET from the machine at web.address, port 80: web has no address",
        "GET from another machine at web.address, port 80: web has no address",
    )
    judgement = judge_exchanges(NO_CONNECTION, NO_CONNECTION)(observed)
    assert judgement.verdict is ClaimVerdict.NOT_TESTABLE
    assert judgement.reason == "GET from the machine at web.address, port 80 was not sent: web has no address."
    assert judgement.evidence == observed.evidence
    judgement = judge_exchanges(NO_CONNECTION, NO_CONNECTION, matched=True)(observed)
    assert judgement.verdict is ClaimVerdict.NOT_TESTABLE
    assert judge_exchanges(answers(), NO_CONNECTION)(observed).verdict is ClaimVerdict.DIFFERS


async def test_lines_that_set_up_are_executed_in_order_and_others_are_only_shown() -> None:
    testbed = RecordingTestbed()
    lines = (
        "python3 -m http.server --bind 0.0.0.0 8001",
        "python3 -m http.server --bind 192.0.2.10 8002  # on another machine",
        "docker network create lab",
        "docker run -d --name web --network {lab} -e NETMODES_PORT=81 IMAGE",
        "docker run -d --name client IMAGE sleep 60",
        "iptables -I INPUT -p tcp --dport 8000 -m comment --comment nm-8000 -j DROP",
        "ip address add 198.51.100.1/32 dev lo  # on the router",
        "ip route show",
        "curl http://127.0.0.1/",
    )
    asks = (
        Ask(NEIGHBOUR, "{machine}", 8000),
        Ask("client", "web.address", 81),
        Ask(NEIGHBOUR, "web.address", 81, routed=True),
    )
    observed = await observe_exchanges(lines, *asks)(testbed)  # type: ignore[arg-type]
    assert testbed.calls == [
        ("serve", MACHINE, "0.0.0.0", 8001),
        ("serve", NEIGHBOUR, "192.0.2.10", 8002),
        ("network", lines[2]),
        ("run", lines[3]),
        ("listening", 81),
        ("run", lines[4]),
        ("alter", lines[5], lines[5].replace("-I", "-D"), MACHINE),
        ("alter", "ip address add 198.51.100.1/32 dev lo", "ip address del 198.51.100.1/32 dev lo", ROUTER),
        ("request", NEIGHBOUR, "{machine}", 8000),
        ("request", "container", "172.17.0.2", 81),
        ("routed", "172.17.0.2", 81),
        ("execute", "iptables-save -c"),
    ]
    assert observed.packets == (("iptables -I INPUT -p tcp --dport 8000 -j DROP", 7),)
    assert observed.evidence == (
        "GET from another machine at the machine's address, port 8000: HTTP 200, the server saw 172.17.0.1",
        "GET from the container client at 172.17.0.2, port 81: HTTP 200, the server saw 172.17.0.1",
        "GET from another machine at 172.17.0.2, port 81: HTTP 200, the server saw 172.17.0.1",
        "packets that the rule iptables -I INPUT -p tcp --dport 8000 -j DROP matched: 7",
    )


async def test_containers_without_a_name_are_numbered() -> None:
    testbed = RecordingTestbed()
    lines = ("docker run -d IMAGE", "docker run -d IMAGE sleep 60")
    observed = await observe_exchanges(lines, Ask("container2", "container1.address", 80))(testbed)  # type: ignore[arg-type]
    assert list(observed.containers) == ["container1", "container2"]
    assert testbed.calls[-1] == ("request", "container", "172.17.0.2", 80)


async def test_an_engine_with_options_is_started_first() -> None:
    testbed = RecordingTestbed()
    await observe_exchanges_on("dockerd --ip=127.0.0.1", (), Ask(MACHINE, "127.0.0.1", 80))(testbed)  # type: ignore[arg-type]
    assert testbed.calls == [("engine", "dockerd --ip=127.0.0.1"), ("request", MACHINE, "127.0.0.1", 80)]


@pytest.mark.parametrize(
    ("line", "undo"),
    [
        ("iptables -I INPUT -j DROP", "iptables -D INPUT -j DROP"),
        ("ip6tables -t mangle -A FORWARD -j ACCEPT", "ip6tables -t mangle -D FORWARD -j ACCEPT"),
        ("iptables -L", ""),
        ("ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500"),
        ("ip link set shim up", "ip link set shim down"),
        ("ip link add shim link eth0 type macvlan mode bridge", "ip link del shim"),
        ("ip address add 192.0.2.60/32 dev shim", "ip address del 192.0.2.60/32 dev shim"),
        ("ip route add 192.0.2.50/32 dev shim", "ip route del 192.0.2.50/32 dev shim"),
        ("ip route show", ""),
    ],
)
def test_a_change_has_a_line_that_reverts_it(line: str, undo: str) -> None:
    assert undo_line(line) == undo


def observed(*responses: Response, packets: int | None = None) -> Exchanges:
    rules = () if packets is None else (("iptables -I INPUT -j DROP", packets),)
    return Exchanges(
        {"web": WEB}, tuple((f"GET {number}", response) for number, response in enumerate(responses)), rules
    )


@pytest.mark.parametrize(
    ("judge", "exchanges", "verdict"),
    [
        (judge_exchanges(answers()), observed(OK), ClaimVerdict.HOLDS),
        (judge_exchanges(answers()), observed(EMPTY), ClaimVerdict.DIFFERS),
        (judge_exchanges(answers()), observed(Response(500, connected=True)), ClaimVerdict.DIFFERS),
        (judge_exchanges(answers("web.gateway")), observed(OK), ClaimVerdict.HOLDS),
        (judge_exchanges(answers("web.address")), observed(OK), ClaimVerdict.DIFFERS),
        (judge_exchanges(answers("other.gateway")), observed(OK), ClaimVerdict.DIFFERS),
        (judge_exchanges(answers("192.0.2.10")), observed(OK), ClaimVerdict.DIFFERS),
        (judge_exchanges(NO_CONNECTION), observed(REFUSED), ClaimVerdict.HOLDS),
        (judge_exchanges(NO_CONNECTION), observed(EMPTY), ClaimVerdict.DIFFERS),
        (judge_exchanges(answers(), NO_CONNECTION), observed(OK, OK), ClaimVerdict.DIFFERS),
        (judge_exchanges(answers(), matched=False), observed(OK, packets=0), ClaimVerdict.HOLDS),
        (judge_exchanges(answers(), matched=False), observed(OK, packets=1), ClaimVerdict.DIFFERS),
        (judge_exchanges(NO_CONNECTION, matched=True), observed(REFUSED, packets=0), ClaimVerdict.DIFFERS),
    ],
)
def test_every_response_and_every_counter_decides(judge: Any, exchanges: Exchanges, verdict: ClaimVerdict) -> None:
    judgement = judge(exchanges)
    assert judgement.verdict is verdict
    assert judgement.evidence == exchanges.evidence
    assert bool(judgement.reason) is (verdict is ClaimVerdict.DIFFERS)


def test_a_container_without_a_gateway_never_proves_a_client() -> None:
    """A container in host mode has no gateway: an empty address must not match every client."""
    hosted = Exchanges({"web": Container("docker run")}, (("GET", OK),))
    assert judge_exchanges(answers("web.gateway"))(hosted).verdict is ClaimVerdict.DIFFERS
