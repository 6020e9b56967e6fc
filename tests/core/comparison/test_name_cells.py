"""Cells of the resolver, lookups and the hosts file."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.name_cells import dns_cells, hosts_cells
from dashboard.core.namespaces.resolver import NO_RESOLVER
from dashboard.core.namespaces.state import HostsEntry, Lookup, Origin, Resolver
from tests.core.builders import MACHINE
from tests.core.comparison.cell_helpers import alone, say, scene_of


def test_a_lookup_shows_its_server_and_duration() -> None:
    lookups = (
        Lookup("web", "answer", ("172.18.0.2",), "127.0.0.11", 404),
        Lookup("db", "answer", ("192.0.2.9",), "hosts file"),
        Lookup("x", "no such name", (), "192.0.2.53", 1250),
        Lookup("y", "no answer"),
    )
    cells = alone(dns_cells, lookups=lookups)
    assert (cells["lookup web", ""].text, cells["lookup web", ""].note) == ("172.18.0.2", "by 127.0.0.11, 0.4 ms")
    assert cells["lookup db", ""].note == "by hosts file"
    assert (cells["lookup x", ""].text, cells["lookup x", ""].absent) == (None, "no such name")
    assert (cells["lookup y", ""].note, cells["lookup y", ""].absent) == ("", "no answer")


def test_the_duration_of_a_lookup_is_not_compared() -> None:
    one, other = (
        alone(dns_cells, lookups=(Lookup("web", "answer", ("192.0.2.9",), "192.0.2.53", time),))["lookup web", ""]
        for time in (1, 2000)
    )
    assert (one.text, one.normalised) == (other.text, other.normalised)


def test_a_resolver_without_servers_is_shown_as_such() -> None:
    cells = alone(dns_cells, resolver=Resolver())
    assert {cell.absent for cell in cells.values()} == {"none"}
    assert alone(dns_cells, resolver=None) == {}


def test_servers_without_loopback_ones_are_the_machine_s_or_those_of_systemd_resolved() -> None:
    observed = scene_of("bridge")
    assert (
        say(dns_cells, "bridge", observed)["resolver", "nameservers"].note == "the machine's without loopback servers"
    )
    machine = replace(observed.states[MACHINE], resolver=Resolver(("127.0.0.53",), origin=Origin.MACHINE))
    observed = replace(observed, states={**observed.states, MACHINE: machine})
    assert say(dns_cells, "bridge", observed)["resolver", "nameservers"].note == (
        "systemd-resolved's servers, from /run/systemd/resolve/resolv.conf"
    )


def test_a_container_s_own_name_in_the_hosts_file_is_one_row_for_all() -> None:
    observed = scene_of("host", "bridge")
    assert say(hosts_cells, "bridge", observed)["own host name", ""].text == "172.17.0.2"
    assert ("own host name", "") not in say(hosts_cells, "host", observed)
    assert say(hosts_cells, MACHINE, observed)["lab-1", ""].text == "127.0.1.1"


def test_a_name_with_two_addresses_has_both() -> None:
    hosts = (HostsEntry("127.0.0.1", ("localhost",)), HostsEntry("::1", ("localhost", "ip6-localhost")))
    assert alone(hosts_cells, hosts=hosts)["localhost", ""].text == "127.0.0.1\n::1"


def test_servers_that_cannot_be_read_are_not_called_none() -> None:
    found = alone(dns_cells, resolver=Resolver(origin=Origin.UNREADABLE), lookups=(Lookup("web", NO_RESOLVER),))
    for key, field in (
        ("resolver", "nameservers"),
        ("resolver", "search"),
        ("resolver", "options"),
        ("lookup web", ""),
    ):
        cell = found[key, field]
        assert (cell.text, cell.visible) == (None, False)
        assert "not readable" in cell.absent
