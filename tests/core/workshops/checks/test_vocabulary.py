"""Every type of check, in a case where it holds and in one where it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.namespaces.resolver import NAMESPACE_GONE, NO_RESOLVER
from dashboard.core.namespaces.state import Lookup
from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import EVENTS, VOCABULARY, judge
from dashboard.core.workshops.observation import Observation
from tests.core.builders import make_listener
from tests.core.observations import NOW, answered, make_connection, make_container, make_machine, make_observation

EMPTY = make_observation()
HOST = make_observation(make_container("web", "host"))
BRIDGE = make_observation(make_container("web", "bridge", publish=8080))
USER = make_observation(
    make_container("shop", "user-bridge", lookups=answered("shop", "172.18.0.2")), networks={"lab": "bridge"}
)
NAMELESS = make_observation(make_container("web", "bridge", lookups=answered("shop")))
SECOND = make_observation(make_container("web", "host"), make_container("second", "host", running=False))
DISCARDED = make_observation(make_container("web", "host", publish=8080))
UNREADABLE = make_observation(machine=make_machine(sysctls={}))
FOREIGN = make_observation(machine=make_machine(make_listener(80, "apache2", 77)))

RULES = (
    "*filter",
    "[0:0] -A INPUT -j ACCEPT",
    "[0:0] -A INPUT -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable",
    "[7:420] -A DOCKER-USER -i eth0 -p tcp -m tcp --dport 8080 -j DROP",
)
FILTERED = replace(EMPTY, rules=RULES)
OPEN = replace(EMPTY, rules=RULES[:2])

#: kind, arguments, where it holds, where it does not.
TABLE: list[tuple[str, dict[str, str | int], Observation, Observation]] = [
    ("image-present", {"image": "nginx"}, EMPTY, make_observation(images=frozenset({"httpd:latest"}))),
    ("container-running", {"mode": "host", "image": "nginx"}, HOST, BRIDGE),
    ("container-running", {"mode": "host", "count": 1}, SECOND, EMPTY),
    ("container-running", {"name": "web", "publish": 8080}, BRIDGE, HOST),
    ("container-running", {}, HOST, EMPTY),
    ("container-status", {"name": "second", "status": "exited"}, SECOND, HOST),
    ("container-status", {"name": "web", "status": "running"}, HOST, EMPTY),
    ("removed", {"name": "web"}, EMPTY, HOST),
    ("removed", {"name": "second"}, HOST, SECOND),
    ("published", {"port": 8080}, BRIDGE, DISCARDED),
    ("asked-not-published", {"mode": "host"}, DISCARDED, BRIDGE),
    ("asked-not-published", {"name": "web"}, DISCARDED, HOST),
    ("network-present", {"name": "lab"}, USER, BRIDGE),
    ("network-absent", {"name": "lab"}, BRIDGE, USER),
    ("namespace-is-machine", {"image": "nginx"}, HOST, BRIDGE),
    ("namespace-is-machine", {}, HOST, EMPTY),
    ("namespace-differs", {"name": "web"}, BRIDGE, HOST),
    ("namespace-differs", {"namespace": "uts"}, HOST, EMPTY),
    ("namespace-differs", {"namespace": "pid", "name": "web"}, HOST, make_observation(make_container(state=None))),
    ("address-absent", {}, HOST, BRIDGE),
    ("address-present", {}, BRIDGE, HOST),
    ("rule-present", {"chain": "INPUT"}, FILTERED, OPEN),
    ("rule-present", {"chain": "DOCKER-USER", "port": 8080}, FILTERED, EMPTY),
    ("rule-absent", {"chain": "INPUT"}, OPEN, FILTERED),
    ("rule-absent", {"chain": "INPUT", "port": 8080}, FILTERED, EMPTY),
    ("rule-dropped", {"chain": "DOCKER-USER", "port": 8080}, FILTERED, OPEN),
    ("rule-dropped", {"chain": "DOCKER-USER"}, FILTERED, replace(EMPTY, rules=(RULES[2],))),
    ("listener", {"port": 80}, HOST, BRIDGE),
    ("listener", {"port": 80, "process": "nginx", "owner": "container"}, HOST, FOREIGN),
    ("listener", {"port": 80, "owner": "machine"}, FOREIGN, HOST),
    ("listener", {"port": 80, "process": "docker-proxy"}, make_observation(make_container(publish=80)), HOST),
    (
        "listener",
        {"port": 80, "place": "container", "name": "web"},
        BRIDGE,
        make_observation(make_container(port=8080)),
    ),
    ("no-listener", {"port": 80}, BRIDGE, HOST),
    ("no-listener", {"port": 8080, "place": "container"}, BRIDGE, EMPTY),
    ("interface-present", {"interface": "docker0", "place": "container"}, HOST, BRIDGE),
    ("interface-present", {"interface": "docker0"}, EMPTY, Observation(0.0)),
    ("interface-absent", {"interface": "docker0", "place": "container"}, BRIDGE, HOST),
    ("interface-absent", {"interface": "eth9"}, EMPTY, Observation(0.0)),
    ("sysctl", {"sysctl": "net.ipv4.ip_unprivileged_port_start", "value": "1024"}, EMPTY, UNREADABLE),
    ("resolver", {"nameserver": "127.0.0.11"}, USER, BRIDGE),
    ("resolver", {"origin": "copy"}, HOST, BRIDGE),
    ("resolver", {}, HOST, EMPTY),
    ("name-resolves", {"lookup": "shop"}, USER, HOST),
    ("name-unknown", {"lookup": "shop"}, NAMELESS, USER),
    ("name-unknown", {"lookup": "shop"}, NAMELESS, EMPTY),
    (
        "requested",
        {"port": 80},
        make_observation(connections=(make_connection(),)),
        make_observation(connections=(make_connection(81),)),
    ),
]


@pytest.mark.parametrize(("kind", "arguments", "good", "bad"), TABLE, ids=[f"{one[0]} {one[1]}" for one in TABLE])
def test_a_check_holds_for_one_observation_and_not_for_another(
    kind: str, arguments: dict[str, str | int], good: Observation, bad: Observation
) -> None:
    for observation, ok in ((good, True), (bad, False)):
        finding = judge(Check(kind, arguments), observation)
        assert finding.ok is ok, finding
        assert finding.expected
        assert finding.observed, "a finding has both texts"


def test_every_check_type_is_in_the_table() -> None:
    assert {one[0] for one in TABLE} == set(VOCABULARY)
    assert set(VOCABULARY) >= EVENTS


def test_arguments_are_those_that_the_vocabulary_names() -> None:
    for kind, arguments, _, _ in TABLE:
        assert set(arguments) <= set(VOCABULARY[kind].parameters), kind
        assert set(VOCABULARY[kind].required) <= set(arguments), kind


@pytest.mark.parametrize(
    ("connection", "counts"),
    [
        (make_connection(80), True),
        (make_connection(80, server="172.17.0.1"), True),
        (make_connection(80, server="198.51.100.7"), False),  # a request of this machine to another server
        (make_connection(80, ago=30), False),  # before the container was started
    ],
)
def test_a_request_counts_if_it_reached_this_place_since_the_start(connection: object, counts: bool) -> None:
    observation = make_observation(make_container("web", "host"), connections=(connection,))
    assert judge(Check("requested", {"port": 80, "mode": "host"}), observation).ok is counts


def test_a_request_is_remembered_by_the_end_that_closed_it() -> None:
    back = make_container("back", "user-bridge")
    address = back.addresses[0]
    front = make_container(
        "front", "user-bridge", connections=(make_connection(80, address, client="172.18.0.9:4000"),)
    )
    loopback = make_container("front", "user-bridge", connections=(make_connection(80, "127.0.0.1"),))
    asked = Check("requested", {"port": 80, "place": "container", "name": "back"})
    assert judge(asked, make_observation(back, front)).ok
    assert not judge(asked, make_observation(back, loopback)).ok, "127.0.0.1 of another namespace is another server"


def test_a_namespace_that_could_not_be_read_is_not_taken_for_another_one() -> None:
    web = make_container("web")
    assert web.state is not None
    unread = replace(web, state=replace(web.state, namespaces={}))
    differs = Check("namespace-differs", {"namespace": "uts"})
    assert not judge(differs, make_observation(unread)).ok
    assert not judge(differs, make_observation(web, machine=make_machine(namespaces={}))).ok
    assert judge(differs, make_observation(web)).ok


@pytest.mark.parametrize("outcome", ["", NO_RESOLVER, NAMESPACE_GONE])
def test_a_name_that_was_not_looked_up_is_not_taken_for_unknown(outcome: str) -> None:
    web = make_container(lookups=(Lookup("shop", outcome),) if outcome else ())
    for container in (web, replace(web, state=None)):
        for kind in ("name-unknown", "name-resolves"):
            finding = judge(Check(kind, {"lookup": "shop"}), make_observation(container))
            assert (finding.ok, finding.observed) == (False, "the name could not be looked up in web")
    unanswered = make_container(lookups=(Lookup("shop", "no answer"),))
    assert judge(Check("name-unknown", {"lookup": "shop"}), make_observation(unanswered)).ok


@pytest.mark.parametrize(("ago", "counts"), [(10.0, True), (11.5, True), (11.6, False)])
def test_a_request_counts_from_shortly_before_the_container_was_started(ago: float, counts: bool) -> None:
    observation = make_observation(make_container("web", "host"), connections=(make_connection(ago=ago),))
    assert judge(Check("requested", {"port": 80, "mode": "host"}), observation).ok is counts
    assert judge(Check("requested", {"port": 80}), observation).ok, "without a container any request of the last minute"


def test_without_the_state_of_the_machine_no_namespace_is_judged_different() -> None:
    web = make_container("web", "host")
    observation = Observation(NOW, None, (web,))
    shared = judge(Check("namespace-is-machine", {"name": "web"}), observation)
    assert not shared.ok
    assert "[" not in shared.expected
    assert web.state is not None
    assert str(web.state.netns) in shared.observed
    differs = judge(Check("namespace-differs", {"name": "web"}), observation)
    assert not differs.ok
    assert "[0]" in differs.expected
    known = judge(Check("namespace-is-machine", {"name": "web"}), make_observation(web))
    assert known.ok
    assert str(web.state.netns) in known.expected
