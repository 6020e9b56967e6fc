"""Runs claims about HTTP requests: executes the lines of a claim in order, sends the requests, and judges the
responses."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dashboard.core.claims.model import Judgement, differs, holds, not_testable
from dashboard.core.claims.prepared import prepared
from dashboard.core.claims.testbed import NEIGHBOUR, ROUTER, Container, Place, Response, Testbed
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import bracket

#: The address of the neighbour on a private host's LAN.
NEIGHBOUR_ADDRESS = "192.0.2.10"
#: The end of a line that is typed on another machine.
ELSEWHERE = {"# on another machine": NEIGHBOUR, "# on the router": ROUTER}
_PLACES = {MACHINE: "the machine", NEIGHBOUR: "another machine", ROUTER: "the router"}
_OF_CONTAINER = re.compile(r"(\w+)\.(address|gateway)", re.ASCII)
_SERVE = re.compile(r"python3 -m http\.server --bind (\S+) (\d+)", re.ASCII)
_PORT = re.compile(r"NETMODES_PORT=(\d+)", re.ASCII)
_COMMENT = re.compile(r"--comment (\S+)", re.ASCII)
_COUNTER = re.compile(r"\[(\d+):\d+\] .*--comment \"?([\w-]+)\"?(?: |$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET request. ``sender`` is ``MACHINE``, ``NEIGHBOUR`` or a container's name. ``address`` is an IP address, or
    it refers to a container: ``NAME.address`` is the container's address, ``NAME.gateway`` its gateway. If ``routed``
    is true, the neighbour sends the request, and gets a route to the address through the machine."""

    sender: str
    address: str
    port: int
    routed: bool = False


@dataclass(frozen=True, slots=True)
class Exchanges:
    """What was observed when a claim ran. ``containers`` are the containers by name. ``responses`` has a text for each
    request, with the response. ``packets`` has each firewall rule with the number of packets that it matched."""

    containers: Mapping[str, Container] = field(default_factory=dict)
    responses: tuple[tuple[str, Response], ...] = ()
    packets: tuple[tuple[str, int], ...] = ()

    @property
    def evidence(self) -> tuple[str, ...]:
        """One line for each request and for each rule."""
        return (
            *(f"{request}: {response.summary}" for request, response in self.responses),
            *(f"packets that the rule {rule} matched: {count}" for rule, count in self.packets),
        )

    def address(self, text: str) -> str:
        """Replaces ``NAME.address`` and ``NAME.gateway`` by the address or gateway of the container NAME. If ``text``
        has neither form, or there is no such container, returns it unchanged."""
        match = _OF_CONTAINER.fullmatch(text)
        return str(getattr(self.containers[match[1]], match[2])) if match and match[1] in self.containers else text


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected result of a request: a response, or no connection. ``client`` is the client address that the server
    must see, written like ``Ask.address``. It is empty if the server may see any address."""

    answered: bool
    client: str = ""


def answers(client: str = "") -> Expected:
    """Returns the expected result of a request that must get a response. If ``client`` is given, the server must see it
    as its client."""
    return Expected(answered=True, client=client)


NO_CONNECTION = Expected(answered=False)


async def run_script(testbed: Testbed, lines: Sequence[str]) -> dict[str, Container]:
    """Executes the lines as a person would type them, and waits until the started servers listen.

    Returns the containers by name. It executes ``docker network create``, ``docker run``, ``python3 -m http.server``,
    and commands of iptables(8) and ip(8) that change the network. Such changes are reverted when the claim ends. All
    other lines are ignored.
    """
    containers: dict[str, Container] = {}
    for line in lines:
        if line.startswith("docker network create"):
            await testbed.create_network(line)
        elif line.startswith("docker run"):
            container = await testbed.run(line)
            name = re.search(r"--name (\w+)", line)
            containers[name[1] if name else f"container{len(containers) + 1}"] = container
            port = _PORT.search(container.line)
            if " sleep " not in container.line:
                await testbed.wait_listening(container, int(port[1]) if port else 80)
        elif serve := _SERVE.match(line):
            place = place_of(line)
            if place == MACHINE:
                await testbed.serve_on_machine(serve[1], int(serve[2]))
            else:
                await testbed.serve_on_lan(place, serve[1], int(serve[2]))
        elif line.startswith(("iptables ", "ip6tables ", "ip ")) and (undo := undo_line(line)):
            await testbed.alter(line.partition("#")[0].strip(), undo.partition("#")[0].strip(), place_of(line))
    return containers


def place_of(line: str) -> str:
    """Returns where the line is typed, according to the comment at its end: ``MACHINE``, ``NEIGHBOUR`` or ``ROUTER``;
    without such a comment ``MACHINE``."""
    return next((place for comment, place in ELSEWHERE.items() if line.endswith(comment)), MACHINE)


def undo_line(line: str) -> str:
    """Returns the command that reverts the line; empty if the line changes nothing."""
    words = shlex.split(line, comments=True)
    if words[0] in {"iptables", "ip6tables"}:
        return re.sub(r" -[IA] ", " -D ", line, count=1) if {"-I", "-A"} & set(words) else ""
    if words[1:3] == ["link", "set"] and "mtu" in words:
        return f"ip link set {words[3]} mtu 1500"
    if words[1:3] == ["link", "set"] and words[-1] == "up":
        return f"ip link set {words[3]} down"
    if words[1:3] == ["link", "add"]:
        return f"ip link del {words[3]}"
    return line.replace(" add ", " del ", 1) if words[2:3] == ["add"] else ""


async def count_packets(testbed: Testbed, lines: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Returns how many packets each firewall rule in ``lines`` has matched. Only rules with a ``--comment`` are
    counted, because the comment identifies the rule in the output of iptables-save. A result is a pair: the rule
    without the comment, and the number of packets."""
    rules = [line for line in lines if line.startswith(("iptables ", "ip6tables ")) and _COMMENT.search(line)]
    counts: dict[str, int] = {}
    for tool in sorted({rule.split()[0] for rule in rules}):
        _code, output = await testbed.execute(MACHINE, f"{tool}-save -c")
        counts |= {match[2]: int(match[1]) for row in output.splitlines() if (match := _COUNTER.match(row))}
    named = [(rule, _COMMENT.search(rule)) for rule in rules]
    return tuple(
        (re.sub(r" -m comment --comment \S+", "", rule), counts.get(name[1], 0)) for rule, name in named if name
    )


@prepared
async def observe_exchanges(testbed: Testbed, lines: Sequence[str], *asks: Ask) -> Exchanges:
    """Calls ``exchange``. Because of the decorator ``prepared``, a claim sets ``lines`` and ``asks`` when it is
    defined, and a run passes the testbed later."""
    return await exchange(testbed, lines, *asks)


@prepared
async def observe_exchanges_on(testbed: Testbed, daemon: str, lines: Sequence[str], *asks: Ask) -> Exchanges:
    """Like ``observe_exchanges``, but on an engine that is started for the claim with the line ``daemon`` (``dockerd
    …``)."""
    return await exchange(await testbed.start_engine(daemon), lines, *asks)


async def exchange(testbed: Testbed, lines: Sequence[str], *asks: Ask) -> Exchanges:
    """Executes the lines, sends the requests in order, and reads the counters of the firewall rules among the lines."""
    containers = await run_script(testbed, lines)
    observed = Exchanges(containers)
    responses = []
    for ask in asks:
        address = observed.address(ask.address)
        sender: Place = containers.get(ask.sender, ask.sender)
        if not address:
            name, _, attribute = ask.address.partition(".")
            response = Response(None, error=f"{name} has no {attribute}", sent=False)
        elif ask.routed:
            response = await testbed.request_from_lan(address, ask.port)
        else:
            response = await testbed.request(sender, address, ask.port)
        shown = "the machine's address" if address == "{machine}" else bracket(address) or ask.address
        place = _PLACES.get(ask.sender, f"the container {ask.sender}")
        responses.append((f"GET from {place} at {shown}, port {ask.port}", response))
    return Exchanges(containers, tuple(responses), await count_packets(testbed, lines))


@prepared
def judge_exchanges(observed: Exchanges, *expected: Expected, matched: bool | None = None) -> Judgement:
    """The claim holds if each response is as expected. If ``matched`` is True, every rule in ``observed.packets`` must
    also have matched packets. If it is False, none may have. If no connection was expected, but the request could not
    be sent, the claim is not testable."""
    for (request, response), wanted in zip(observed.responses, expected, strict=True):
        if reason := differs_from(request, response, wanted, observed):
            return differs(reason, *observed.evidence)
    for request, response in observed.responses:
        if not response.sent:
            return not_testable(f"{request} was not sent: {response.error}.", *observed.evidence)
    if matched is not None and any((count > 0) is not matched for _rule, count in observed.packets):
        return differs(f"The rule matched {'no ' if matched else ''}packets.", *observed.evidence)
    return holds(*observed.evidence)


def differs_from(request: str, response: Response, wanted: Expected, observed: Exchanges) -> str:
    """Returns a sentence on how the response differs from the expected result ``wanted``; empty if it does not differ.
    ``request`` is a description of the request, with which the sentence begins. ``observed`` has the containers to
    which ``wanted.client`` may refer."""
    if not wanted.answered:
        return f"{request}: the connection was accepted." if response.connected else ""
    if response.status != 200:
        return f"{request}: there was no response."
    client = observed.address(wanted.client)
    if wanted.client and response.client_seen != client:
        return f"{request}: the server did not see the client {client or 'that was expected'}."
    return ""
