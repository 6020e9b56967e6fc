"""The neighbour on a real private host: what the page states equals what programs in its namespace find."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock, Mock
from urllib.parse import urlsplit

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.journal import Attempt
from dashboard.core.modes import NEIGHBOUR
from dashboard.core.paths.hops import HopKind
from dashboard.engine.hosts.neighbour import NEIGHBOUR_ADDRESSES
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import column_namespace, try_paths
from dashboard.lab.experiments.columns.neighbour import NeighbourServer, find_bridges, find_neighbour
from dashboard.lab.experiments.trace import trace
from dashboard.netns.address_server import AddressServer
from dashboard.netns.namespace import Namespace
from tests.support.lab_harness import LabHarness
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import PrivateEngine
from tests.support.specs import HOST_WITHOUT_ROOT

HOLDS_ON_PODMAN = frozenset(
    {
        "test_ip_neigh_in_the_neighbour_shows_the_link_of_the_machine_s_column",
        "test_tcpdump_in_the_neighbour_shows_the_clients_that_the_servers_saw",
        "test_a_port_published_on_loopback_is_refused_from_outside",
    }
)


@pytest.fixture
def neighbour(facts: EngineFacts) -> None:
    """Skips the test where the engine's machine has no neighbour."""
    if facts.rootless_network:
        pytest.skip("RootlessKit's namespace is not on the LAN")


def by_path(attempts: Sequence[Attempt]) -> dict[tuple[str, str], Attempt]:
    """The attempts by (path, server), those over IPv4."""
    return {(one.path, one.server): one for one in reversed(attempts)}


async def tried(
    lab_harness: LabHarness, identity: str, *answering: tuple[str, str]
) -> Mapping[tuple[str, str], Attempt]:
    """The attempts by (path, server), once the services answer on all paths but those from the LAN, and on the paths
    ``answering``, and each client was found. On a busy machine the timeout of a second for requests from the LAN may
    be too short, and a server may have two new clients."""

    async def all_serve() -> Mapping[tuple[str, str], Attempt]:
        attempts = by_path(await try_paths(lab_harness.lab, identity))
        needed = [key for key, one in attempts.items() if one.url and not key[0].startswith("lan")]
        tried = [attempts[key] for key in (*needed, *answering)]
        return attempts if all(one.status and one.client_seen for one in tried) else {}

    found: Mapping[tuple[str, str], Attempt] = await eventually(all_serve)
    return found


def inside_neighbour(lab_harness: LabHarness, identity: str, *command: str) -> tuple[list[str], int]:
    """A command in the neighbour's namespace, and the descriptor that it needs."""
    driver = lab_harness.driver(identity)
    namespace = column_namespace(lab_harness.lab, driver, NEIGHBOUR)
    assert namespace is not None
    return ["nsenter", f"--net=/proc/self/fd/{namespace.fd}", *command], namespace.fd


async def run_in_neighbour(lab_harness: LabHarness, identity: str, *command: str) -> subprocess.CompletedProcess[str]:
    """What a program prints in the neighbour's namespace."""
    line, descriptor = inside_neighbour(lab_harness, identity, *command)
    return await asyncio.to_thread(
        subprocess.run, line, pass_fds=[descriptor], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=20,
    )  # fmt: skip


def answering_from_lan(facts: EngineFacts) -> tuple[tuple[str, str], ...]:
    """The paths from the LAN to host mode and to a published port on which the service answers. firewalld's zone does
    not allow packets from other machines to programs of the machine."""
    published = ("lan-published", "bridge")
    return (published,) if facts.firewalld else (("lan-address", "host"), published)


async def curl(lab_harness: LabHarness, identity: str, url: str, timeout_s: int = 1) -> int:
    """The exit status of curl in the neighbour's namespace."""
    command = ("curl", "-sS", "-o/dev/null", f"-m{timeout_s}", url)
    return (await run_in_neighbour(lab_harness, identity, *command)).returncode


async def netcat(lab_harness: LabHarness, identity: str, url: str, timeout_s: int = 1) -> int:
    """The exit status of nc in the neighbour's namespace: 0 if it connects."""
    target = urlsplit(url)
    command = ("busybox", "nc", f"-w{timeout_s}", str(target.hostname), str(target.port))
    return (await run_in_neighbour(lab_harness, identity, *command)).returncode


async def test_the_neighbour_is_a_column_with_its_own_stack(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running(arms=[HOST_WITHOUT_ROOT])
    view = await lab_harness.view(identity)
    assert [column.key for column in view.columns] == ["machine", "host", NEIGHBOUR]
    state = view.states[NEIGHBOUR]
    addresses = {one.address for link in state.interfaces for one in link.addresses if link.name == "eth0"}
    assert addresses >= set(NEIGHBOUR_ADDRESSES)
    assert (state.hostname, state.resolver, state.lookups) == ("", None, ())
    assert state.netns not in {one.netns for key, one in view.states.items() if key != NEIGHBOUR}


@pytest.mark.usefixtures("usual_paths")
async def test_the_neighbour_reaches_the_same_as_curl(lab_harness: LabHarness, facts: EngineFacts) -> None:
    identity = await lab_harness.running("host", "bridge", publish="18310:80")
    attempts = await tried(lab_harness, identity, *answering_from_lan(facts))
    host, published = attempts["lan-address", "host"], attempts["lan-published", "bridge"]
    assert host.url == f"http://{MACHINE_ADDRESS}:80/"
    assert (host.status, published.status) == (None if facts.firewalld else 200, 200)
    # The server sees the neighbour itself: the machine translates the destination and not the source.
    assert facts.firewalld or host.client_seen.startswith(f"{NEIGHBOUR_ADDRESSES[0]}:")
    assert published.client_seen.startswith(f"{NEIGHBOUR_ADDRESSES[0]}:")
    assert attempts["hairpin", "bridge"].status == 200
    for attempt in attempts.values():
        if attempt.origin == NEIGHBOUR and attempt.url:
            answers = attempt.status is not None
            timeout_s = 10 if answers else 1
            assert (await curl(lab_harness, identity, attempt.url, timeout_s) == 0) is answers, attempt
            assert (await netcat(lab_harness, identity, attempt.url, timeout_s) == 0) is answers, attempt


@pytest.mark.usefixtures("usual_paths")
async def test_ip_neigh_in_the_neighbour_shows_the_link_of_the_machine_s_column(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("host")
    await tried(lab_harness, identity)
    machine = (await lab_harness.view(identity)).states["machine"]
    link = next(link for link in machine.interfaces if link.name == "eth0")
    shown = await run_in_neighbour(lab_harness, identity, "ip", "neigh", "show", MACHINE_ADDRESS)
    assert f"dev eth0 lladdr {link.mac} " in shown.stdout
    listed = await run_in_neighbour(lab_harness, identity, "ip", "-o", "address", "show", "dev", "eth0")
    state = (await lab_harness.view(identity)).states[NEIGHBOUR]
    own = {one.address for link in state.interfaces if link.name == "eth0" for one in link.addresses}
    assert own == {line.split()[3].partition("/")[0] for line in listed.stdout.splitlines()}


@pytest.mark.usefixtures("usual_paths")
async def test_tcpdump_in_the_neighbour_shows_the_clients_that_the_servers_saw(
    lab_harness: LabHarness, facts: EngineFacts, tmp_path: Path
) -> None:
    identity = await lab_harness.running("host", "bridge", publish="18313:80")
    await tried(lab_harness, identity)
    command = ("tcpdump", "-i", "eth0", "-nn", "--immediate-mode", "-l", "tcp[tcpflags] & (tcp-syn) != 0")
    line, descriptor = inside_neighbour(lab_harness, identity, *command)
    captured = tmp_path / "captured"
    with captured.open("wb") as output:
        capture = await asyncio.create_subprocess_exec(
            *line, pass_fds=[descriptor], stdout=output, stderr=asyncio.subprocess.PIPE
        )
    try:
        assert capture.stderr is not None
        while b"listening on" not in (started := await asyncio.wait_for(capture.stderr.readline(), DEADLINE_S)):
            assert started, "tcpdump ended"
        expected = expected_packets(await tried(lab_harness, identity, *answering_from_lan(facts)), facts)
        with suppress(AssertionError):  # tcpdump may read packets after the responses
            await eventually(lambda: all(packet in captured.read_text() for packet in expected))
    finally:
        capture.terminate()
        await capture.communicate()
    shown = captured.read_text()
    assert [packet for packet in expected if packet not in shown] == [], shown


def expected_packets(attempts: Mapping[tuple[str, str], Attempt], facts: EngineFacts) -> list[str]:
    """What tcpdump prints of the connections from the neighbour to the machine and from containers to the LAN."""
    packets: list[str] = []
    for path, mode, port in (("lan-address", "host", 80), ("lan-published", "bridge", 18313)):
        attempt = attempts[path, mode]
        if attempt.status is None:
            assert facts.firewalld, attempt
            continue
        address, _, client_port = attempt.client_seen.rpartition(":")
        assert address == "192.0.2.10"
        packets.append(f"IP {address}.{client_port} > 192.0.2.2.{port}: Flags [S]")
        packets.append(f" > {address}.{client_port}: Flags [S.]")
    # What the LAN sees of a container is the connection that its server reported.
    seen = [one.client_seen for one in attempts.values() if one.path == "to-lan" and one.status and "[" not in one.url]
    assert seen
    for client in seen:
        address, _, client_port = client.rpartition(":")
        packets.append(f"IP {address}.{client_port} > 192.0.2.10.80: Flags [S]")
    return packets


async def test_the_neighbour_sees_the_machine_s_address_for_host_mode_and_for_a_masqueraded_bridge(
    lab_harness: LabHarness, engine_host: PrivateEngine, facts: EngineFacts
) -> None:
    identity = await lab_harness.running(arms=[HOST_WITHOUT_ROOT, {"mode": "bridge"}])
    (own,) = (await lab_harness.column(identity, "bridge")).networks.values()

    async def sources() -> dict[str, str]:
        sent = [one for one in await try_paths(lab_harness.lab, identity) if one.path == "to-lan"]
        return {one.origin: one.client_seen.rpartition(":")[0] for one in sent if "[" not in one.url}

    async def sources_are(expected: dict[str, str]) -> bool:
        return await sources() == expected

    masquerades = facts.options.iptables is not False
    bridge = MACHINE_ADDRESS if masquerades else own
    await eventually(lambda: sources_are({"host": MACHINE_ADDRESS, "bridge": bridge}))
    # The rule in the nat table decides: without it the LAN sees the container's own address. Podman's netavark has a
    # table of its own; without root, pasta sends the requests from the machine.
    rule = ("POSTROUTING", "-o", "eth0", "-j", "ACCEPT")
    await asyncio.to_thread(engine_host.on_machine, "iptables", "-t", "nat", "-I", *rule)
    try:
        # Since Engine 28 a raw rule drops the replies, which are for the container's own address.
        bridge = own if facts.version < (28, 0) or not masquerades else ""
        if facts.kind is EngineKind.PODMAN:
            bridge = MACHINE_ADDRESS
        await eventually(lambda: sources_are({"host": MACHINE_ADDRESS, "bridge": bridge}))
    finally:
        await asyncio.to_thread(engine_host.on_machine, "iptables", "-t", "nat", "-D", *rule)


async def drop_counters(engine_host: PrivateEngine) -> dict[tuple[str, str], int]:
    """The packets of each rule that drops or rejects, and of each policy DROP, by table and text."""
    saved = await asyncio.to_thread(engine_host.on_machine, "iptables-save", "-c")
    table, counters = "", {}
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif found := re.fullmatch(r"\[(\d+):\d+\] (-A .* -j (?:DROP|REJECT)\b.*)", line):
            counters[table, found[2]] = int(found[1])
        elif found := re.fullmatch(r"(:\S+ DROP) \[(\d+):\d+\]", line):
            counters[table, found[1]] = int(found[2])
    return counters


@pytest.mark.usefixtures("usual_paths")
async def test_a_dropped_request_names_the_rule_whose_counter_moved(
    lab_harness: LabHarness, engine_host: PrivateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "EXPLAIN_S", DEADLINE_S)
    identity = await lab_harness.running("bridge", publish="18311:80")
    await tried(lab_harness, identity)
    await asyncio.to_thread(engine_host.on_machine, "iptables", "-I", "DOCKER-USER", "-i", "eth0", "-j", "DROP")
    try:
        attempts = by_path(await try_paths(lab_harness.lab, identity))
        published = attempts["lan-published", "bridge"]
        assert published.status is None
        assert "within 1 s" in published.error
        assert "rule “-A DOCKER-USER -i eth0 -j DROP” (table filter)" in published.error
        # The trace names the only rule or policy with a counter that moved.
        before = await drop_counters(engine_host)
        key = f"bridge/lan-published/{published.url.removeprefix('http://').rstrip('/')}"
        (traced,) = await trace(lab_harness.lab, identity, key, key)
        after = await drop_counters(engine_host)
        assert [rule for rule, packets in after.items() if packets != before[rule]] == [
            ("filter", "-A DOCKER-USER -i eth0 -j DROP")
        ]
        (dropping,) = [one.evidence for one in traced.hops if one.kind is HopKind.FILTER]
        assert dropping == ("rule “-A DOCKER-USER -i eth0 -j DROP” (table filter)",)
        assert await curl(lab_harness, identity, published.url) == 28  # timed out
    finally:
        await asyncio.to_thread(engine_host.on_machine, "iptables", "-D", "DOCKER-USER", "-i", "eth0", "-j", "DROP")


@pytest.mark.usefixtures("usual_paths")
async def test_a_port_published_on_loopback_is_refused_from_outside(
    lab_harness: LabHarness, facts: EngineFacts
) -> None:
    identity = await lab_harness.running("bridge", publish="127.0.0.1:18312:80")
    attempts = await tried(lab_harness, identity)
    published = attempts["lan-published", "bridge"]
    assert published.title.endswith("published on loopback only")
    # firewalld refuses it with a message that no route exists.
    assert ("no route to the host" if facts.firewalld else "refused the connection") in published.error
    assert await curl(lab_harness, identity, published.url, 10) == 7


@pytest.mark.usefixtures("usual_paths")
async def test_without_a_private_host_there_is_no_neighbour(lab_harness: LabHarness) -> None:
    context = lab_harness.context
    assert find_neighbour(context)
    assert not find_neighbour(replace(context, private=False))
    assert not find_neighbour(replace(context, info=replace(context.info, rootless=True)))
    assert not find_neighbour(
        replace(context, info=replace(context.info, endpoint="unix:///run/netmodes/no/docker.sock"))
    )


async def test_bridges_are_in_the_namespace_of_the_engine_s_process_unless_it_is_detached(
    fake_lab: LabHarness,
) -> None:
    context = fake_lab.context
    assert find_bridges(context) == []
    detached = replace(context.info, pid=7, netns="/run/user/1000/kit/netns")
    assert find_bridges(replace(context, info=detached)) == [(7, "/run/user/1000/kit/netns")]


@pytest.mark.usefixtures("neighbour")
async def test_a_server_that_could_not_be_opened_is_tried_again_and_logged_once(
    lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    results: list[object] = [OSError(24, "too many files"), OSError(24, "too many files"), Mock()]
    await lab_harness.lab.close()  # it has a server of its own
    monkeypatch.setattr(AddressServer, "open", AsyncMock(side_effect=results))
    server = NeighbourServer(lab_harness.context)
    for _ in results:
        await server.ensure()
    assert server._server is results[-1]
    assert sum("the neighbour has no server" in message for message in caplog.messages) == 1
    server.close()


@pytest.mark.usefixtures("neighbour")
async def test_a_namespace_that_opens_after_the_server_was_cancelled_is_closed(
    lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    opened: list[Namespace] = []
    found, real = find_neighbour(lab_harness.context), Namespace.of_path_inside

    def slow(pid: int, path: str) -> Namespace:
        entered.set()
        assert go_on.wait(20)
        opened.append(real(pid, path))
        return opened[0]

    server = NeighbourServer(lab_harness.context)
    await lab_harness.lab.close()  # it opens namespaces, too
    monkeypatch.setattr(Namespace, "of_path_inside", slow)
    monkeypatch.setattr("dashboard.lab.experiments.columns.neighbour.find_neighbour", lambda _context: found)
    opening = asyncio.ensure_future(server.ensure())
    await eventually(entered.is_set)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    go_on.set()
    await eventually(lambda: opened and "closed" in repr(opened[0]))
