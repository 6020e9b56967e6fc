"""dashboard.core.comparison.answer.answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings

from dashboard.core.comparison.answer.answer import describe_same, describe_trouble, has_taken_port, write_answer
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.launching.ports import HostPort, PortUser
from dashboard.core.experiments.messages import ArmStatus, Column, ExperimentRef
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Family, Listener, Protocol
from tests.core.builders import Columns, States
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import engine_scenes
from tests.properties import examples


def _with(columns: Columns, key: str, **changes: object) -> tuple[Column, ...]:
    return tuple(replace(column, **changes) if column.key == key else column for column in columns)  # type: ignore[arg-type]


def _listening(states: States, listener: Listener) -> States:
    machine = states[MACHINE]
    return {**states, MACHINE: replace(machine, listeners=(*machine.listeners, listener))}


def _trouble(columns: Columns, states: States, others: Sequence[PortUser] = ()) -> tuple[str, ...]:
    return tuple(sentence for sentence, _holder in describe_trouble(columns, states, others))


def test_the_answer_of_a_recorded_scene_has_these_differences() -> None:
    columns, states = recorded_scene()
    answer = write_answer(columns, compare(columns, states), states)
    assert [difference.rule for difference in answer.differences] == [
        "namespace", "discarded", "published", "address", "resolver",
    ]  # fmt: skip
    assert answer.same.startswith("The same in every column: ")
    assert answer.trouble == ()


def test_sameness_needs_two_running_arms() -> None:
    columns, states = make_scene(("host", "bridge"))
    rows = compare(columns, states)
    assert describe_same(columns, rows)
    assert not describe_same(_with(columns, "host", status=ArmStatus.EXITED), rows)


def test_sameness_names_the_telling_rows_and_counts_the_others() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    rows = compare(columns, states)
    same = [row for row in rows if row.relation == "same"]
    sentence = describe_same(columns, same)
    named = [name for name in ("MTU of eth0 (1500)", "user namespace", "cgroup namespace") if name in sentence]
    assert "MTU of eth0 (1500)" in named
    (mtu,) = (row for row in same if (row.section, row.key, row.field) == ("interfaces", "eth0", "mtu"))
    assert describe_same(columns, [mtu]) == "The same in every column: MTU of eth0 (1500)."
    other = replace(mtu, key="lo")
    assert describe_same(columns, [mtu, other]) == "The same in every column: MTU of eth0 (1500) and 1 other fact."
    assert describe_same(columns, [other]) == "The same in every column: 1 fact."
    assert describe_same(columns, [other, replace(other, key="x")]) == "The same in every column: 2 facts."


def test_an_exited_arm_names_the_process_that_holds_its_port() -> None:
    columns, states = make_scene(("host", "bridge"))
    log = "bind() to 0.0.0.0:80 failed (98: Address already in use)"
    columns = _with(columns, "host", status=ArmStatus.EXITED, exit_code=1, logs=("starting", log, "bye"), port=80)
    states = {key: state for key, state in states.items() if key != "host"}
    bare = {**states, MACHINE: replace(states[MACHINE], listeners=())}
    summary, arm = _trouble(columns, bare)
    assert summary == "1 of 2 containers is running: bridge."
    assert arm == f"host: the program exited with code 1: {log}."
    held = _listening(bare, Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80, 812, "nginx"))
    _summary, arm = _trouble(columns, held)
    assert arm.endswith("nginx (pid 812) listens on port 80 of this machine. Stop it, or choose another port.")


def test_the_holder_of_a_port_may_be_a_container() -> None:
    columns, states = make_scene(("host", "bridge"))
    bridge = next(column for column in columns if column.key == "bridge")
    assert bridge.container is not None
    columns = _with(columns, "host", status=ArmStatus.EXITED, exit_code=1, logs=("Address in use",), port=81)
    for container, owner in ((bridge.container.id, "nginx (pid 9) of bridge"), ("f" * 64, f"container {'f' * 12}")):
        listener = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 81, 9, "nginx", container)
        assert owner in _trouble(columns, _listening(states, listener))[1]
    unknown = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 81)
    assert "An unidentified process listens on port 81" in _trouble(columns, _listening(states, unknown))[1]
    datagrams = Listener(Protocol.UDP, Family.INET, "0.0.0.0", 81, 9, "dnsmasq")
    assert "listens on" not in _trouble(columns, _listening(states, datagrams))[1]


BIND = "bind() to 0.0.0.0:80 failed (98: Address already in use)"
APACHE = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80, 812, "apache2")


def test_an_arm_that_shares_a_container_s_stack_names_the_program_that_holds_the_port_there() -> None:
    columns, states = make_scene(("bridge", "none", "container"))
    columns = _with(columns, "container", status=ArmStatus.EXITED, exit_code=1, logs=(BIND,))
    for machine in (states, _listening(states, APACHE)):
        assert _trouble(columns, machine)[1] == (
            f"container: the program exited with code 1: {BIND}. "
            "nginx of bridge listens on port 80 in the network stack of bridge, which container shares."
        )
    held = (replace(APACHE, process=None),)
    unknown = {**states, "bridge": replace(states["bridge"], listeners=held)}
    assert "An unidentified process listens on port 80 in" in _trouble(columns, unknown)[1]
    free = {**states, "bridge": replace(states["bridge"], listeners=())}
    assert _trouble(columns, free)[1] == f"container: the program exited with code 1: {BIND}."


def test_the_machine_s_port_is_no_reason_for_an_arm_with_its_own_stack() -> None:
    columns, states = make_scene(("bridge", "none"))
    columns = _with(columns, "bridge", status=ArmStatus.EXITED, exit_code=1, logs=(BIND,))
    assert _trouble(columns, _listening(states, APACHE))[1] == f"bridge: the program exited with code 1: {BIND}."


def test_an_arm_that_shares_the_stack_of_host_mode_names_the_holder_on_the_machine() -> None:
    columns, states = make_scene(("host", "container"))
    columns = _with(columns, "container", status=ArmStatus.EXITED, exit_code=1, logs=(BIND,))
    assert "nginx (pid 4100) of host listens on port 80 of this machine." in _trouble(columns, states)[1]


def test_the_port_in_the_message_of_a_program_is_searched_before_the_arm_s_port() -> None:
    columns, states = make_scene(("host", "bridge"))
    log = "listen tcp :9090: bind: address already in use"
    columns = _with(columns, "host", status=ArmStatus.EXITED, exit_code=1, logs=(log,), port=80)
    apache = _listening(states, APACHE)
    assert _trouble(columns, apache)[1] == f"host: the program exited with code 1: {log}."
    held = _listening(apache, Listener(Protocol.TCP, Family.INET, "0.0.0.0", 9090, 813, "prometheus"))
    assert "prometheus (pid 813) listens on port 9090 of this machine. Stop it" in _trouble(columns, held)[1]


def test_a_refused_arm_quotes_the_engine_and_names_the_holder_of_the_requested_port() -> None:
    columns, states = make_scene(("host", "bridge"))
    bridge = next(column for column in columns if column.key == "bridge")
    port = bridge.asked[0].host_port
    error = f"Bind for 0.0.0.0:{port} failed: port is already allocated"
    columns = _with(columns, "bridge", status=ArmStatus.REFUSED, error=error)
    bare = {**states, MACHINE: replace(states[MACHINE], listeners=())}
    assert _trouble(columns, bare)[1] == f"bridge could not be launched: {error}."
    unasked = _with(columns, "bridge", asked=())
    assert (
        f"python3 (pid 7) listens on port {port}"
        in _trouble(unasked, _listening(bare, Listener(Protocol.TCP, Family.INET, "0.0.0.0", port, 7, "python3")))[1]
    )
    held = _listening(bare, Listener(Protocol.TCP, Family.INET, "0.0.0.0", port, 7, "python3"))
    assert f"python3 (pid 7) listens on port {port}" in _trouble(columns, held)[1]


def test_a_reason_of_several_arms_is_stated_once() -> None:
    columns, states = make_scene(("host", "bridge", "none"))
    for key in ("host", "bridge"):
        columns = _with(columns, key, status=ArmStatus.REFUSED, error="redis:7 cannot be pulled: no registry answers.")
    assert _trouble(columns, states) == (
        "1 of 3 containers is running: none.",
        "host and bridge could not be launched: redis:7 cannot be pulled: no registry answers.",
    )
    answer = write_answer(columns, (), states)
    assert len(answer.holders) == len(answer.trouble)


def test_arms_whose_ports_are_taken_are_named_one_by_one() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    for key in ("bridge", "user-bridge"):
        columns = _with(columns, key, status=ArmStatus.REFUSED, error="port is already allocated")
    assert [sentence.partition(" ")[0] for sentence in _trouble(columns, states)[1:]] == ["bridge", "user-bridge"]


def test_the_holder_of_a_port_may_be_another_experiment() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = _with(columns, "host", status=ArmStatus.EXITED, exit_code=1, logs=("Address in use",), port=81)
    other = ExperimentRef("abc", "web on 81")
    listener = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 81, 9, "nginx", "e" * 64)
    held = _listening(states, listener)
    answer = write_answer(columns, (), held, [PortUser("e" * 64, "experiment “web on 81”", (), other)])
    assert answer.holders == (None, other)
    assert "nginx (pid 9) of experiment “web on 81” listens on port 81 of this machine." in answer.trouble[1]


def test_the_engine_may_publish_the_port_for_another_experiment_without_a_listener() -> None:
    columns, states = make_scene(("host", "bridge"))
    error = "Bind for 0.0.0.0:9090 failed: port is already allocated"
    columns = _with(columns, "bridge", status=ArmStatus.REFUSED, error=error, asked=())
    other = ExperimentRef("abc", "web")
    users = [PortUser("e" * 64, "experiment “web”", (HostPort(9090),), other)]
    sentence, holder = describe_trouble(columns, states, users)[1]
    assert "The Engine publishes port 9090 of this machine for experiment “web”." in sentence
    assert holder == other


def test_an_arm_without_a_reason_has_a_sentence() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = _with(columns, "host", status=ArmStatus.LOST)
    columns = _with(columns, "bridge", status=ArmStatus.EXITED)
    assert _trouble(columns, states) == (
        "None of the 2 containers is running.",
        "host: the container was removed outside Netmodes.",
        "bridge: the program exited.",
    )
    refused = _with(columns, "bridge", status=ArmStatus.REFUSED)
    assert _trouble(refused, states)[2] == "bridge could not be launched: the Engine gave no reason."


def test_arms_that_wait_or_were_stopped_are_no_trouble() -> None:
    columns, states = make_scene(("host", "bridge"))
    for status in (ArmStatus.WAITING, ArmStatus.CREATED, ArmStatus.GONE, ArmStatus.RUNNING):
        assert _trouble(_with(columns, "host", status=status), states) == ()


@settings(max_examples=examples(0.6))
@given(engine_scenes())
def test_every_sentence_of_any_scene_ends_with_a_full_stop(scene: tuple[Columns, States]) -> None:
    columns, states = scene
    answer = write_answer(columns, compare(columns, states), states)
    sentences = (*answer.trouble, *([answer.same] if answer.same else []))
    assert all(sentence.endswith(".") for sentence in sentences)


def test_only_a_reason_that_says_so_means_that_a_port_is_taken() -> None:
    columns, _states = make_scene(("host", "bridge"))
    taken = ("nginx starts", "bind() to 0.0.0.0:80 failed (98: Address already in use)", "bye")
    assert not has_taken_port(columns)
    assert has_taken_port(_with(columns, "host", status=ArmStatus.EXITED, logs=taken))
    assert has_taken_port(_with(columns, "host", status=ArmStatus.REFUSED, error="port is already allocated"))
    assert not has_taken_port(_with(columns, "host", status=ArmStatus.RUNNING, logs=taken))
    assert not has_taken_port(_with(columns, "host", status=ArmStatus.EXITED, logs=("bye",)))
    assert not has_taken_port(_with(columns, "host", status=ArmStatus.REFUSED, error=None))
