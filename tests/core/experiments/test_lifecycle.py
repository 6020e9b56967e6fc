"""Wanted and observed state: the next actions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.lifecycle import (
    Action,
    Adopt,
    CollectExited,
    Create,
    MarkRemoved,
    ObservedContainer,
    Remove,
    Start,
    Wanted,
    container_name,
    launch_order,
    plan,
    removal_waves,
)
from dashboard.core.modes import ArmSpec, Mode
from tests.core.builders import make_arm

HOST, BRIDGE = make_arm("host"), make_arm("bridge")


def made(arm: str, *, running: bool = True, started: bool = True) -> ObservedContainer:
    return ObservedContainer(f"id-{arm}", arm, running, started)


@pytest.mark.parametrize(
    ("real", "launched", "actions"),
    [
        ((), {}, (Create("host"), Create("bridge"))),
        ((made("host"),), {}, (Adopt("host", "id-host"), Create("bridge"))),
        ((made("host"),), {"host": "id-host"}, (Adopt("host", "id-host"), Create("bridge"))),
        ((), {"host": "id-host"}, (MarkRemoved("host"), Create("bridge"))),
        (
            (made("host", running=False), made("bridge")),
            {"host": "id-host"},
            (CollectExited("host", "id-host"), Adopt("bridge", "id-bridge")),
        ),
        (
            (made("host", running=False, started=False),),
            {},
            (Start("host", "id-host"), Create("bridge")),
        ),
        (
            (made("macvlan"), made("host"), made("bridge")),
            {},
            (Remove("id-macvlan"), Adopt("host", "id-host"), Adopt("bridge", "id-bridge")),
        ),
        ((made(""),), {"host": "a", "bridge": "b"}, (Remove("id-"), MarkRemoved("host"), MarkRemoved("bridge"))),
    ],
)
def test_actions_lead_from_observed_containers_to_running(
    real: tuple[ObservedContainer, ...], launched: dict[str, str], actions: tuple[Action, ...]
) -> None:
    assert plan(Wanted.RUNNING, (HOST, BRIDGE), real, launched) == actions


@pytest.mark.parametrize("wanted", [Wanted.STOPPED, Wanted.REMOVED])
def test_unwanted_containers_are_removed_and_none_is_created(wanted: Wanted) -> None:
    real = (made("host"), made("bridge", running=False), made("stranger", running=False, started=False))
    assert plan(wanted, (HOST, BRIDGE), real, {"host": "id-host"}) == tuple(Remove(one.id) for one in real)
    assert plan(wanted, (HOST, BRIDGE), (), {"host": "id-host"}) == ()


arm_keys = st.sampled_from(["host", "bridge", "none", "macvlan"])
arms_lists = st.lists(arm_keys, unique=True, max_size=4).map(lambda keys: tuple(make_arm(key) for key in keys))
#: Names are unique on an engine, so an arm has at most one container; some no longer belong to an arm.
real_lists = st.lists(
    st.builds(
        made,
        st.sampled_from(["host", "bridge", "none", "macvlan", "old"]),
        running=st.booleans(),
        started=st.booleans(),
    ),
    unique_by=lambda one: one.arm,
    max_size=5,
).map(lambda found: tuple(replace(one, started_before=one.started_before or one.running) for one in found))
launched_maps = st.dictionaries(arm_keys, st.just("id"), max_size=4)


Containers = tuple[ObservedContainer, ...]


def carried_out(real: Containers, launched: dict[str, str], actions: tuple[Action, ...]) -> Containers:
    """The containers after successful actions. An exited container is removed, as with ``--rm``."""
    world = {container.id: container for container in real}
    for action in actions:
        match action:
            case Create():
                world[f"id-{action.arm}"] = made(action.arm)
                launched[action.arm] = f"id-{action.arm}"
            case Start():
                world[action.container] = made(action.arm)
                launched[action.arm] = action.container
            case Adopt():
                launched[action.arm] = action.container
            case CollectExited() | Remove():
                world.pop(action.container)
            case MarkRemoved():
                pass
    return tuple(world.values())


@given(arms_lists, real_lists, launched_maps)
def test_a_repeated_pass_creates_nothing(
    arms: tuple[ArmSpec, ...], real: tuple[ObservedContainer, ...], launched: dict[str, str]
) -> None:
    launched = launched | {one.arm: one.id for one in real if one.started_before}
    after = carried_out(real, launched, plan(Wanted.RUNNING, arms, real, launched))
    again = plan(Wanted.RUNNING, arms, after, launched)
    assert not [action for action in again if isinstance(action, Create | Start | Remove | CollectExited)]
    assert carried_out(after, launched, again) == after


@given(arms_lists, real_lists, launched_maps, st.data())
def test_an_interrupted_pass_is_finished_by_the_next_one(
    arms: tuple[ArmSpec, ...], real: tuple[ObservedContainer, ...], launched: dict[str, str], data: st.DataObject
) -> None:
    actions = plan(Wanted.RUNNING, arms, real, launched)
    cut = actions[: data.draw(st.integers(0, len(actions)))]
    after = carried_out(real, launched, cut)
    finished = carried_out(after, launched, plan(Wanted.RUNNING, arms, after, launched))
    keys = {arm.key for arm in arms}
    assert all(one.running and one.arm in keys for one in finished)
    assert carried_out(finished, launched, plan(Wanted.STOPPED, arms, finished, launched)) == ()


@given(arms_lists, real_lists, launched_maps)
def test_every_arm_and_every_container_has_exactly_one_action(
    arms: tuple[ArmSpec, ...], real: tuple[ObservedContainer, ...], launched: dict[str, str]
) -> None:
    actions = plan(Wanted.RUNNING, arms, real, launched)
    named = [action.arm for action in actions if not isinstance(action, Remove)]
    assert named == [arm.key for arm in arms]
    handled = [action.container for action in actions if not isinstance(action, Create | MarkRemoved)]
    assert sorted(handled) == sorted(one.id for one in real)


@given(arms_lists, real_lists, launched_maps)
def test_a_launched_arm_is_never_created_again(
    arms: tuple[ArmSpec, ...], real: tuple[ObservedContainer, ...], launched: dict[str, str]
) -> None:
    created = {action.arm for action in plan(Wanted.RUNNING, arms, real, launched) if isinstance(action, Create)}
    assert not created & set(launched)


# The order of a launch.


def joining(key: str, target: str | None) -> ArmSpec:
    return make_arm(key, Mode.CONTAINER, target=target)


def waves(*arms: ArmSpec) -> list[list[str]]:
    return [[arm.key for arm in wave] for wave in launch_order(arms)]


@pytest.mark.parametrize(
    ("arms", "order"),
    [
        ((), []),
        ((HOST, BRIDGE), [["host", "bridge"]]),
        ((joining("container", "host"), HOST, BRIDGE), [["host", "bridge"], ["container"]]),
        (
            (joining("c1", "c2"), joining("c2", "host"), HOST),
            [["host"], ["c2"], ["c1"]],
        ),
        ((joining("container", "missing"), HOST), [["host"], ["container"]]),
        ((joining("container", None), HOST), [["host"], ["container"]]),
        ((joining("container", "container"),), [["container"]]),
        ((joining("c1", "c2"), joining("c2", "c1"), HOST), [["host"], ["c1", "c2"]]),
    ],
)
def test_an_arm_that_shares_a_stack_waits_for_its_owner(arms: tuple[ArmSpec, ...], order: list[list[str]]) -> None:
    assert waves(*arms) == order


any_arms = st.lists(
    st.builds(
        lambda key, mode, target: ArmSpec(key, mode, target=target if mode is Mode.CONTAINER else None),
        st.sampled_from("abcdef"),
        st.sampled_from([Mode.HOST, Mode.BRIDGE, Mode.CONTAINER]),
        st.one_of(st.none(), st.sampled_from("abcdefx")),
    ),
    unique_by=lambda arm: arm.key,
    max_size=6,
)


@given(any_arms)
def test_every_arm_is_launched_once_and_after_its_target(arms: list[ArmSpec]) -> None:
    order = launch_order(arms)
    assert sorted(arm.key for wave in order for arm in wave) == sorted(arm.key for arm in arms)
    assert all(order)
    done: set[str] = set()
    for number, wave in enumerate(order, start=1):
        for arm in wave:
            waits = arm.mode is Mode.CONTAINER and arm.target not in done
            assert not waits or number == len(order)
        done |= {arm.key for arm in wave}


# Names.


def test_names_are_readable_and_unique() -> None:
    assert container_name("7f2a9c", "bridge-2") == "nm-7f2a9c-bridge-2"


@pytest.mark.parametrize(
    ("network_modes", "waves"),
    [
        ({}, ()),
        ({"a": "bridge", "b": "host"}, (("a", "b"),)),
        ({"a": "bridge", "b": "container:a", "c": "container:a"}, (("b", "c"), ("a",))),
        ({"a": "bridge", "b": "container:a", "c": "container:b"}, (("c",), ("b",), ("a",))),
        ({"b": "container:elsewhere"}, (("b",),)),
        ({"a": "container:b", "b": "container:a"}, (("a", "b"),)),
    ],
)
def test_containers_that_share_a_namespace_are_removed_before_its_owner(
    network_modes: dict[str, str], waves: tuple[tuple[str, ...], ...]
) -> None:
    assert removal_waves(network_modes) == waves
