"""resolv.conf as resolver(3) reads it, its source for Docker, and the servers that a lookup uses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.core.modes import Mode
from dashboard.core.namespaces.resolver import LookupPlan, classify, is_loopback, lookup_plan, parse_resolv_conf
from dashboard.core.namespaces.state import HostsEntry, Origin, Resolver


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Resolver()),
        ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", Resolver(("192.0.2.1", "2001:db8::1"))),
        ("nameserver\t192.0.2.1 \r\n", Resolver(("192.0.2.1",))),
        ("nameserver fe80::1%eth0", Resolver(("fe80::1%eth0",))),
        ("nameserver 192.0.2.1 # ours", Resolver(("192.0.2.1",))),
        ("nameserver 192.0.2.1 ; ours", Resolver(("192.0.2.1",))),
        ("# nameserver 192.0.2.1\n; nameserver 192.0.2.2", Resolver()),
        ("#nameserver 192.0.2.1\n;nameserver 192.0.2.2", Resolver()),
        (" nameserver 192.0.2.1", Resolver()),  # the keyword must start the line
        ("nameserver", Resolver()),
        ("nameserver dns.example", Resolver()),  # no address
        ("nameservers 192.0.2.1", Resolver()),
        ("NAMESERVER 192.0.2.1", Resolver()),
        ("search a.example b.example", Resolver(search=("a.example", "b.example"))),
        ("search a.example\nsearch b.example", Resolver(search=("b.example",))),
        ("search a.example\nsearch", Resolver()),
        ("domain a.example b.example", Resolver(search=("a.example",))),
        ("domain a.example\nsearch b.example c.example", Resolver(search=("b.example", "c.example"))),
        ("search b.example c.example\ndomain a.example", Resolver(search=("a.example",))),
        ("search a.example # b.example", Resolver(search=("a.example",))),
        ("search .", Resolver(search=(".",))),
        ("options ndots:0\noptions timeout:2 rotate", Resolver(options=("ndots:0", "timeout:2", "rotate"))),
        ("sortlist 192.0.2.0/24\nlookup file bind", Resolver()),
        ("nameserver 192.0.2.1\x00\n", Resolver()),
    ],
)
def test_resolv_conf_is_read_as_the_c_library_reads_it(text: str, expected: Resolver) -> None:
    assert parse_resolv_conf(text) == expected


def test_servers_beyond_the_third_are_kept_and_all_lists_are_limited() -> None:
    text = "".join(f"nameserver 192.0.2.{number}\n" for number in range(200)) + "search " + "a " * 1000
    read = parse_resolv_conf(text)
    assert read.nameservers[:4] == ("192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3")
    assert len(read.nameservers) == len(read.search) == 64


@given(st.text(alphabet=st.sampled_from("nameserver domain search options ndots:#;.%: \t\r\n\x00é19af")) | st.text())
@example("nameserver \n#\n;\ndomain\noptions\nsearch")
def test_any_text_is_read(text: str) -> None:
    read = parse_resolv_conf(text)
    for server in read.nameservers:
        ipaddress.ip_address(server)
    assert all(value == value.strip() and value for value in (*read.search, *read.options))
    assert lookup_plan("name", (), read).servers


MACHINE = Resolver(("192.0.2.1", "2001:db8::1", "127.0.0.1"))
STUB = Resolver(("127.0.0.53",))
UPSTREAM = Resolver(("192.0.2.9",))
PUBLIC = ("8.8.8.8", "8.8.4.4")
PUBLIC_BOTH = (*PUBLIC, "2001:4860:4860::8888", "2001:4860:4860::8844")


@pytest.mark.parametrize(
    ("servers", "machine", "mode", "given_dns", "expected"),
    [
        (MACHINE.nameservers, MACHINE, None, (), Origin.MACHINE),
        (MACHINE.nameservers, MACHINE, Mode.HOST, (), Origin.COPY),
        (STUB.nameservers, STUB, Mode.HOST, (), Origin.COPY),
        ((), Resolver(), Mode.HOST, (), Origin.COPY),
        (("192.0.2.1",), MACHINE, Mode.HOST, (), Origin.OTHER),
        (("9.9.9.9",), MACHINE, Mode.HOST, ("9.9.9.9",), Origin.GIVEN),
        (("9.9.9.9",), MACHINE, Mode.BRIDGE, ("9.9.9.9",), Origin.GIVEN),
        (("192.0.2.1", "2001:db8::1"), MACHINE, Mode.BRIDGE, (), Origin.STRIPPED),
        (("192.0.2.1",), MACHINE, Mode.BRIDGE, (), Origin.STRIPPED),  # IPv6 off in the container
        (("192.0.2.1",), MACHINE, Mode.NONE, (), Origin.STRIPPED),
        (("192.0.2.7",), MACHINE, Mode.BRIDGE, (), Origin.OTHER),
        (PUBLIC, STUB, Mode.BRIDGE, (), Origin.FALLBACK),
        (PUBLIC_BOTH, STUB, Mode.NONE, (), Origin.FALLBACK),
        (PUBLIC, Resolver(), Mode.BRIDGE, (), Origin.FALLBACK),
        (PUBLIC, Resolver(PUBLIC), Mode.BRIDGE, (), Origin.STRIPPED),  # the machine's own happen to be these
        (PUBLIC, MACHINE, Mode.BRIDGE, (), Origin.OTHER),
        ((), Resolver(), Mode.BRIDGE, (), Origin.OTHER),
        (("127.0.0.11",), MACHINE, Mode.USER_BRIDGE, (), Origin.DOCKER),
        (("127.0.0.11",), MACHINE, Mode.USER_BRIDGE, ("9.9.9.9",), Origin.DOCKER),  # --dns is where it forwards to
        (("127.0.0.11",), MACHINE, Mode.MACVLAN, (), Origin.DOCKER),
        (("127.0.0.11",), MACHINE, Mode.IPVLAN, (), Origin.DOCKER),
        (("127.0.0.11",), MACHINE, Mode.OVERLAY, (), Origin.DOCKER),
        (("127.0.0.11",), MACHINE, Mode.BRIDGE, (), Origin.DOCKER),  # also connected to another network
        (("127.0.0.11",), MACHINE, Mode.NONE, (), Origin.OTHER),
        (("192.0.2.1",), MACHINE, Mode.USER_BRIDGE, (), Origin.OTHER),
        (("127.0.0.11",), MACHINE, Mode.CONTAINER, (), Origin.DOCKER),
        (("169.254.1.1", "192.0.2.1"), MACHINE, Mode.PASTA, (), Origin.FORWARDED),
        (("10.0.2.3", "192.0.2.1"), MACHINE, Mode.SLIRP4NETNS, (), Origin.FORWARDED),
        (("169.254.1.1",), MACHINE, Mode.PRIVATE, (), Origin.FORWARDED),
        (("192.0.2.1",), MACHINE, Mode.PRIVATE, (), Origin.STRIPPED),
        (("169.254.1.1",), MACHINE, Mode.BRIDGE, (), Origin.FORWARDED),
        (("10.0.2.3",), Resolver(("10.0.2.3",)), Mode.BRIDGE, (), Origin.STRIPPED),  # RootlessKit's namespace
        (MACHINE.nameservers, MACHINE, Mode.CONTAINER, (), Origin.COPY),
        (("192.0.2.1",), MACHINE, Mode.CONTAINER, (), Origin.STRIPPED),
        (("192.0.2.7",), MACHINE, Mode.CONTAINER, (), Origin.OTHER),
    ],
)
def test_the_origin_of_the_servers_is_recognised(
    servers: tuple[str, ...], machine: Resolver, mode: Mode | None, given_dns: tuple[str, ...], expected: Origin
) -> None:
    assert classify(Resolver(servers), machine, mode, given_dns) is expected


def test_aardvark_dns_is_known_by_its_search_domain() -> None:
    aardvark = Resolver(("10.89.0.1",), ("dns.podman",))
    assert classify(aardvark, MACHINE, Mode.USER_BRIDGE) is Origin.AARDVARK
    assert classify(aardvark, MACHINE, Mode.CONTAINER) is Origin.AARDVARK
    assert classify(aardvark, MACHINE, Mode.BRIDGE) is Origin.OTHER


def test_docker_starts_from_resolved_s_list_where_the_machine_only_names_its_stub() -> None:
    assert classify(UPSTREAM, STUB, Mode.BRIDGE, (), UPSTREAM) is Origin.STRIPPED
    assert classify(UPSTREAM, STUB, Mode.HOST, (), UPSTREAM) is Origin.OTHER
    assert classify(STUB, STUB, Mode.HOST, (), UPSTREAM) is Origin.COPY
    assert classify(UPSTREAM, MACHINE, Mode.BRIDGE, (), UPSTREAM) is Origin.OTHER


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("fe80::1%lo", False),
        ("x", False),
    ],
)
def test_loopback_servers_are_recognised(server: str, expected: bool) -> None:
    assert is_loopback(server) is expected


HOSTS = (
    HostsEntry("127.0.0.1", ("localhost",)),
    HostsEntry("::1", ("localhost", "ip6-localhost")),
    HostsEntry("192.0.2.7", ("Box.example", "box")),
)


@pytest.mark.parametrize(
    ("name", "resolver", "expected"),
    [
        ("192.0.2.5", Resolver(), LookupPlan(answers=("192.0.2.5",))),
        ("2001:db8::5", Resolver(), LookupPlan(answers=("2001:db8::5",))),
        ("localhost", Resolver(), LookupPlan(answers=("127.0.0.1", "::1"), from_hosts=True)),
        ("BOX", Resolver(), LookupPlan(answers=("192.0.2.7",), from_hosts=True)),
        ("box.", Resolver(), LookupPlan(candidates=("box.",), servers=("127.0.0.1",))),
        ("", Resolver(), LookupPlan()),
        (".", Resolver(), LookupPlan()),
        ("web", Resolver(), LookupPlan(candidates=("web.",), servers=("127.0.0.1",))),
        (
            "web",
            Resolver(("192.0.2.1",), ("a.example", "b.example.")),
            LookupPlan(candidates=("web.a.example.", "web.b.example.", "web."), servers=("192.0.2.1",)),
        ),
        (
            "web.x",
            Resolver(("192.0.2.1",), ("a.example",)),
            LookupPlan(candidates=("web.x.", "web.x.a.example."), servers=("192.0.2.1",)),
        ),
        (
            "web.x",
            Resolver(("192.0.2.1",), ("a.example",), ("ndots:2",)),
            LookupPlan(candidates=("web.x.a.example.", "web.x."), servers=("192.0.2.1",)),
        ),
        (
            "web",
            Resolver(("127.0.0.11",), ("a.example",), ("ndots:0",)),
            LookupPlan(candidates=("web.", "web.a.example."), servers=("127.0.0.11",)),
        ),
        ("web.", Resolver(("192.0.2.1",), ("a.example",)), LookupPlan(candidates=("web.",), servers=("192.0.2.1",))),
        ("web", Resolver(("192.0.2.1",), (".",)), LookupPlan(candidates=("web.",), servers=("192.0.2.1",))),
        (
            "web",
            Resolver(("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")),
            LookupPlan(candidates=("web.",), servers=("192.0.2.1", "192.0.2.2", "192.0.2.3")),
        ),
    ],
)
def test_a_lookup_is_planned_as_in_the_c_library(name: str, resolver: Resolver, expected: LookupPlan) -> None:
    assert lookup_plan(name, HOSTS, resolver) == expected


@pytest.mark.parametrize(("option", "last"), [("ndots:99", "a.b."), ("ndots:x", "a.b.s."), ("ndots:", "a.b.s.")])
def test_a_strange_ndots_is_bounded_or_ignored(option: str, last: str) -> None:
    assert lookup_plan("a.b", (), Resolver((), ("s",), (option,))).candidates[-1] == last


@given(st.text(max_size=300), st.lists(st.text(max_size=50), max_size=5))
def test_a_lookup_of_any_name_is_planned(name: str, search: list[str]) -> None:
    plan = lookup_plan(name, HOSTS, Resolver(("192.0.2.1",), tuple(search)))
    assert bool(plan.candidates) == bool(plan.servers)
    assert len(set(plan.candidates)) == len(plan.candidates)
    assert all(candidate.endswith(".") for candidate in plan.candidates)
