"""Which machines form a swarm, at which addresses, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.namespaces.state import Family, NamespaceState, Route
from dashboard.core.operations.swarm import (
    KEPT,
    MAX_MEMBERS,
    Membership,
    SwarmMachine,
    SwarmRefusedError,
    SwarmState,
    SwarmTicket,
    find_outdated,
    find_unknown,
    plan_swarm,
    require_shown,
    shown_members,
)
from tests.core.builders import make_interface, make_loopback, make_state


def network(*addresses: str, gateway: str | None = None) -> NamespaceState:
    """A machine with these addresses on eth0, and a bridge as every Docker host has."""
    routes = [Route(Family.INET, "172.17.0.0/16", None, "docker0"), Route(Family.INET, "198.51.100.0/24", None, "eth0")]
    routes += [Route(Family.INET, "default", gateway, "eth0")] if gateway else []
    return make_state(
        interfaces=(
            make_loopback(),
            make_interface("docker0", 2, "bridge", addresses=("172.17.0.1/16",)),
            make_interface("eth0", 3, addresses=addresses),
        ),
        routes=tuple(routes),
    )


def machine(number: int, **more: object) -> SwarmMachine:
    values = {"network": network(f"198.51.100.{number}/24"), **more}
    return SwarmMachine(f"lab{number}", **values)  # type: ignore[arg-type]


def member(number: int, cluster: str = "c") -> SwarmMachine:
    return machine(number, swarm=SwarmState(Membership.OWN, cluster, f"198.51.100.{number}"))


def refusal(*machines: SwarmMachine, chosen: tuple[str, ...] | None = None) -> str:
    with pytest.raises(SwarmRefusedError) as refused:
        plan_swarm(machines, [one.name for one in machines] if chosen is None else chosen)
    return str(refused.value)


def test_the_first_forms_the_swarm_and_the_others_join_it() -> None:
    plan = plan_swarm([machine(1), machine(2), machine(3), machine(4)], ["lab3", "lab1", "lab2"])
    assert (plan.first, plan.joining, plan.is_new) == ("lab1", ("lab2", "lab3"), True)
    assert plan.addresses == {"lab1": "198.51.100.1", "lab2": "198.51.100.2", "lab3": "198.51.100.3"}


def test_machines_join_a_swarm_that_exists_at_the_address_of_its_member() -> None:
    there = replace(member(2), network=network("198.51.100.9/24", "198.51.100.2/24"), swarm=member(2).swarm)
    plan = plan_swarm([machine(1), there], ["lab1"])
    assert (plan.first, plan.joining, plan.is_new) == ("lab2", ("lab1",), False)
    assert plan.addresses["lab2"] == "198.51.100.2"


def test_a_machine_takes_the_address_that_all_others_reach() -> None:
    both = machine(1, network=network("203.0.113.5/24", "198.51.100.1/24"))
    assert plan_swarm([both, machine(2)], ["lab1", "lab2"]).addresses["lab1"] == "198.51.100.1"
    away = machine(1, network=network("203.0.113.5/24"))
    far = machine(2, network=network("198.51.100.2/24", gateway="198.51.100.254"))
    assert plan_swarm([away, far], ["lab1", "lab2"]).addresses["lab1"] == "203.0.113.5", "over the gateway"


def test_the_address_of_a_bridge_is_no_address_of_a_machine() -> None:
    alone = machine(1, network=network())
    assert refusal(alone, machine(2)).startswith("No IPv4 address of lab1 can be reached")
    twin = machine(2, network=network("198.51.100.1/24"))
    assert "198.51.100.1 is also an address of lab2" in refusal(machine(1), twin)
    elsewhere = machine(2, network=network("203.0.113.5/24"))
    assert "lab1 has no route to 203.0.113.5" in refusal(machine(1), elsewhere)


def test_machines_that_cannot_form_a_swarm_are_refused_with_a_sentence() -> None:
    foreign = machine(2, swarm=SwarmState(Membership.FOREIGN))
    assert "lab2 is in a swarm that Netmodes did not form and does not change" in refusal(machine(1), foreign)
    assert "`docker swarm leave --force`" in refusal(machine(1), foreign), "a manager does not leave without force"
    assert refusal(machine(1), machine(2, problem="It does not respond.")) == "lab2: It does not respond."
    rootless = machine(2, swarm=SwarmState(problem="Podman has no overlay networks."))
    assert refusal(machine(1), rootless) == "lab2: Podman has no overlay networks."
    kept = refusal(machine(1), machine(2, swarm=SwarmState(problem=KEPT)))
    assert kept.startswith("lab2: Docker left a swarm here")
    assert "Restart Docker on this machine" in kept
    assert refusal(machine(1)) == refusal() == "Choose at least two machines."
    assert refusal(machine(1), machine(2), chosen=("lab1", "x" * 99)).endswith(f"chosen: {'x' * 40}.")
    assert refusal(*map(machine, range(1, MAX_MEMBERS + 2))).startswith(f"Choose at most {MAX_MEMBERS} machines")
    assert refusal(member(1), member(2)) == "All of these machines are already in the swarm."
    assert refusal(member(1), member(2, "other"), machine(3)).startswith("These machines are in different swarms.")


def test_a_member_that_does_not_respond_does_not_keep_others_from_joining() -> None:
    absent = SwarmMachine("lab2", problem="It does not respond.")
    plan = plan_swarm([member(1), absent, machine(3)], ["lab3"])
    assert (plan.first, plan.joining) == ("lab1", ("lab3",))


def test_the_token_of_a_swarm_is_in_no_log() -> None:
    assert "secret" not in repr(SwarmTicket("c", "SWMTKN-secret"))


def test_a_form_that_showed_other_members_is_refused() -> None:
    shown = shown_members([member(1), machine(2)])
    require_shown([member(1), machine(2), machine(3)], shown)
    for now in ([member(1), member(2)], [member(1, "other"), machine(2)], [machine(1), machine(2)]):
        with pytest.raises(SwarmRefusedError, match="The members of the swarm have changed"):
            require_shown(now, shown)


def test_members_that_have_not_left_since_a_machine_was_revoked_are_named() -> None:
    old, new = (
        replace(member(number), swarm=replace(member(number).swarm, since=since))
        for number, since in ((1, 10.0), (2, 30.0))
    )
    assert find_outdated([old, new, machine(3)], {}) == ""
    assert find_outdated([new, machine(3)], {"lab9": 20.0}) == ""
    assert find_outdated([old, new], {"lab8": 5.0, "lab9": 20.0}).startswith(
        "lab1 has been in the swarm since before lab9 was revoked"
    )


def test_machines_that_may_be_in_a_swarm_with_a_revoked_one_are_named() -> None:
    absent = SwarmMachine("lab2", problem="It does not respond.")
    entered, revoked = {"lab2": 10.0}, {"lab9": 20.0}
    assert find_unknown([machine(1), absent], {}, entered) == find_unknown([machine(1)], revoked, entered) == ""
    assert find_unknown([machine(1), absent], revoked, entered).startswith(
        "lab2: the state of its engine is not known. As far as this server knows, it has been in the swarm since "
        "before lab9 was revoked."
    )
    assert find_unknown([absent], {"lab2": 20.0}, entered) == "", "it is that machine, which has joined again"
    assert "lab8, lab9" in find_unknown([absent], {"lab2": 20.0, "lab8": 20.0, "lab9": 20.0}, entered)


def test_a_machine_that_does_not_respond_is_not_named_if_it_is_in_no_swarm_with_a_revoked_one() -> None:
    absent = SwarmMachine("lab2", problem="It does not respond.")
    assert find_unknown([absent], {"lab9": 20.0}, {"lab2": 0.0}) == "", "it has left the swarm, or never was in one"
    assert find_unknown([absent], {"lab9": 20.0}, {"lab2": 30.0}) == "", "it entered a swarm after the revocation"
    assert find_unknown([absent], {"lab9": 20.0}, {}), "a machine without a row"
