"""Facts about listening and published ports on a real engine. The name of each test is the fact."""

from __future__ import annotations

import re

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from tests.engine.conftest import Run
from tests.engine.facts.conftest import client_seen, inside, page
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker")]


#: The tests of facts that hold on Podman too, by name; of a test with parameters, the cases that hold.
HOLDS_ON_PODMAN = frozenset(
    {
        "test_a_program_in_bridge_mode_listens_in_its_own_namespace_only",
        "test_grep_for_port_80_finds_port_8080_too_and_a_filter_of_ss_does_not",
        "test_in_host_mode_the_program_itself_listens_on_the_machine",
    }
)


def test_in_host_mode_the_program_itself_listens_on_the_machine(engine_host: PrivateEngine, run: Run) -> None:
    run("--network", "host", "nginx")
    until(lambda: page(engine_host, "127.0.0.1"))
    assert '"nginx"' in engine_host.on_machine("ss", "-Hltnp", "sport = :80")


def test_a_published_port_is_listened_on_by_one_docker_proxy_per_family(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    run("-p", "8080:80", "nginx")
    lines = engine_host.on_machine("ss", "-Hltnp", "sport = :8080").splitlines()
    addresses = sorted(line.split()[3] for line in lines)
    if facts.options.userland_proxy:
        # RootlessKit connects over loopback, and publishes there only.
        loopback_only = facts.rootless_network == "slirp4netns"
        assert addresses == (["127.0.0.1:8080", "[::1]:8080"] if loopback_only else ["0.0.0.0:8080", "[::]:8080"])
        assert len({re.search(r"docker-proxy\",pid=(\d+)", line)[1] for line in lines}) == 2  # type: ignore[index]
    else:
        assert addresses == ["0.0.0.0:8080"]
        assert '"dockerd"' in lines[0]


def test_a_program_in_bridge_mode_listens_in_its_own_namespace_only(engine_host: PrivateEngine, run: Run) -> None:
    one = run("nginx")
    until(lambda: ":80" in inside(engine_host, one, "netstat", "-tln"))
    assert engine_host.on_machine("ss", "-Hltn", "sport = :80") == ""


def test_grep_for_port_80_finds_port_8080_too_and_a_filter_of_ss_does_not(engine_host: PrivateEngine, run: Run) -> None:
    run("-p", "8080:80", "nginx")
    assert ":80" in engine_host.on_machine("ss", "-Hltn")
    assert engine_host.on_machine("ss", "-Hltn", "sport = :80") == ""


def dnat_packets(host: PrivateEngine) -> int:
    rules = host.on_machine("iptables", "-t", "nat", "-L", "DOCKER", "-v", "-n", "-x")
    return sum(int(line.split()[0]) for line in rules.splitlines() if "DNAT" in line)


@pytest.fixture
def machine_publishes(facts: EngineFacts) -> EngineFacts:
    """``facts`` of an engine that publishes ports at the machine's address; others skip the test."""
    if facts.rootless_network:
        pytest.skip("the machine's address is not in RootlessKit's namespace")
    return facts


def test_loopback_goes_through_docker_proxy_and_every_other_local_address_is_dnated(
    engine_host: PrivateEngine, run: Run, machine_publishes: EngineFacts
) -> None:
    options = machine_publishes.options
    run("-p", "8080:80", "nginx")
    until(lambda: page(engine_host, f"{MACHINE_ADDRESS}:8080"))
    before = dnat_packets(engine_host)
    assert page(engine_host, "127.0.0.1:8080")
    loopback = dnat_packets(engine_host)
    assert (loopback == before) is (options.userland_proxy or not options.iptables)
    assert page(engine_host, f"{MACHINE_ADDRESS}:8080")
    assert (dnat_packets(engine_host) > loopback) is options.iptables


def test_the_server_sees_the_gateway_through_docker_proxy_and_the_client_itself_through_dnat_or_in_host_mode(
    engine_host: PrivateEngine, run: Run, machine_publishes: EngineFacts
) -> None:
    run("-p", "8080:80", "nginx")
    run("--network", "host", "nginx")
    assert client_seen(engine_host, "127.0.0.1:8080") == "172.17.0.1"
    options = machine_publishes.options
    # Without docker-proxy the Engine masquerades requests from the machine itself.
    itself = options.iptables and options.userland_proxy
    assert client_seen(engine_host, f"{MACHINE_ADDRESS}:8080") == (MACHINE_ADDRESS if itself else "172.17.0.1")
    assert client_seen(engine_host, "127.0.0.1") == "127.0.0.1"


def test_a_program_on_its_own_loopback_accepts_through_the_proxy_and_answers_nothing(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    one = run("-p", "8080:80", "-e", "NETMODES_ADDRESS=127.0.0.1", "nginx")
    until(lambda: ":80" in inside(engine_host, one, "netstat", "-tln"))
    done = engine_host.try_on_machine("curl", "-sv", "--max-time", "5", "http://127.0.0.1:8080/")
    assert done.stdout == ""
    if facts.options.userland_proxy:
        assert re.search("(Connected|Established connection) to 127[.]0[.]0[.]1", done.stderr)
        assert done.returncode in {52, 56}  # empty reply, or reset
    else:
        assert done.returncode == 7  # refused


def test_a_port_published_from_an_ipv4_bridge_answers_on_ipv6_through_docker_proxy(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    if facts.bridge_ipv6:
        pytest.skip("the default bridge has IPv6")
    run("-p", "8080:80", "nginx")
    # The other address is not in RootlessKit's namespace.
    addresses = ["::1"] if facts.rootless_network else ["::1", "2001:db8::2"]
    if facts.options.userland_proxy:
        seen = {client_seen(engine_host, f"[{address}]:8080") for address in addresses}
        assert seen == {"172.17.0.1"}
    else:
        until(lambda: page(engine_host, "127.0.0.1:8080"))
        assert [page(engine_host, f"[{address}]:8080") for address in addresses] == [""] * len(addresses)
