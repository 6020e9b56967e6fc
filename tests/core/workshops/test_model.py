"""Steps, judgements and true choices of a workshop."""

from __future__ import annotations

import pytest

from dashboard.core.modes import Mode
from dashboard.core.workshops.actions import LABELS
from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.launches import Launch
from dashboard.core.workshops.model import (
    Command,
    CommonMistake,
    Prediction,
    Problem,
    Step,
    Workshop,
    correct_choice,
    judge_step,
    truth_in,
)
from dashboard.core.workshops.truth_readings import Reading
from tests.core.observations import make_connection, make_container, make_observation

ASKED = Check("requested", {"port": 80})
RUNS = Check("container-running", {"mode": "host"})
WHOSE = Prediction("Whose?", ("the machine's", "its own"), None, Reading("namespace", {}), ("machine", "own"))
STEP = Step("launch", "Launch", "Text.", checks=(RUNS, ASKED), predict=WHOSE)


def test_lookups_and_ports_follow_from_the_checks() -> None:
    name = Check("name-resolves", {"lookup": "shop"})
    client = Prediction("Who?", ("a", "b"), None, Reading("client-seen", {"port": 8080}), ("1", "2"))
    step = Step("a", "A", "Text.", checks=(ASKED, name), predict=client, mistakes=(CommonMistake(name, "no"),))
    assert step.ports == (80, 8080)
    assert step.lookups == ("shop",)
    assert (STEP.lookups, Step("b", "B", "Text.").ports) == ((), ())


def test_an_event_stays_true() -> None:
    first = judge_step(STEP, make_observation(make_container("web", "host"), connections=(make_connection(),)), {})
    assert first.ok
    assert first.noted == {"1": "a connection from 127.0.0.1:50000"}
    later = judge_step(STEP, make_observation(make_container("web", "host")), first.noted)
    assert later.ok
    assert later.findings[1].observed == "a connection from 127.0.0.1:50000"
    assert judge_step(STEP, make_observation(make_container("web", "host")), {}).failing == 1


def test_a_state_must_hold_now() -> None:
    seen = judge_step(STEP, make_observation(make_container("web", "host"), connections=(make_connection(),)), {})
    gone = judge_step(STEP, make_observation(), seen.noted)
    assert not gone.ok
    assert gone.failing == 0
    assert judge_step(STEP, make_observation(), {"0": "nonsense", "x": "y", "7": "z"}).noted.keys() == {"0"}
    assert not judge_step(STEP, make_observation(), {"0": "noted of a state"}).findings[0].ok


def test_the_truth_is_the_newest_reading_or_the_last_that_could_be_read() -> None:
    web = make_observation(make_container("web", "host"))
    assert judge_step(STEP, web, {}).truth == "machine"
    assert judge_step(STEP, make_observation(), {}, "machine").truth == "machine"
    assert judge_step(STEP, make_observation(make_container()), {}, "machine").truth == "own"


def test_a_truth_is_read_only_where_the_step_was_run() -> None:
    assert truth_in(STEP, make_observation(make_container("web", "host"))) == "machine", "the request left no trace"
    assert truth_in(STEP, make_observation(make_container())) == "", "no container in host mode: nothing was run"
    gone = Prediction("?", ("Nothing", "A stopped one"), None, Reading("container-status", {}), ("gone", "exited"))
    stop = Step("stop", "Stop", "Text.", checks=(Check("removed", {}),), predict=gone)
    assert (truth_in(stop, make_observation(make_container())), truth_in(stop, make_observation())) == ("", "gone")


def test_the_correct_choice_has_the_value_of_the_reading() -> None:
    assert correct_choice(WHOSE, "own") == 1
    assert correct_choice(WHOSE, "") is None
    assert correct_choice(WHOSE, "something else") is None
    assert correct_choice(Prediction("?", ("a", "b"), 1), "anything") == 1


def test_a_step_without_checks_always_holds() -> None:
    assert judge_step(Step("a", "A", "Text."), make_observation(), {}).ok


def test_a_problem_has_its_place() -> None:
    assert str(Problem("a.md", 3, "wrong.")) == "a.md:3: wrong."
    assert str(Problem("a.md", 0, "wrong.")) == "a.md: wrong."


def test_a_workshop_knows_its_steps_and_the_images_that_it_launches() -> None:
    lines = (
        "docker run --rm -d nginx",
        "curl http://127.0.0.1/",
        "docker run --rm -d nginx",
        "docker run --rm -d httpd",
    )
    commands = tuple(Command(line, parse_command(line)) for line in lines)
    workshop = Workshop("w", "W", "About.", (STEP, Step("b", "B", "Text.", run=commands)))
    assert [workshop.index(slug) for slug in ("launch", "b", "c")] == [0, 1, None]
    assert workshop.images == ("nginx", "httpd")
    assert commands[0].label == LABELS[Launch]
    assert commands[0].label != commands[1].label


def test_a_workshop_knows_the_modes_that_it_launches() -> None:
    lines = (
        "docker run --rm -d --network host nginx",
        "docker run --rm -d nginx",
        "docker network create market",
        "docker run --rm -d --network market nginx",
        "docker run --rm -d --name far --network none nginx # on the other host",
    )
    commands = tuple(Command(line, parse_command(line)) for line in lines)
    steps = (Step("a", "A", "Text.", run=commands), Step("b", "B", "Text.", measure=(Mode.CONTAINER,)))
    assert Workshop("w", "W", "About.", steps).modes == {"host", "bridge", "user-bridge", "container"}
    assert Workshop("w", "W", "About.", (STEP,)).modes == frozenset()


def test_only_readings_of_clients_name_ports() -> None:
    other = Prediction("ContainerSelector?", ("a", "b"), None, Reading("listener", {"port": 8080}), ("1", "2"))
    state = Check("listener", {"port": 81})
    wrong = CommonMistake(Check("requested", {"port": 82}), "no")
    assert Step("a", "A", "Text.", checks=(state, ASKED), predict=other, mistakes=(wrong,)).ports == (80, 82)
    name = Prediction("ContainerSelector?", ("a", "b"), None, Reading("name-resolves", {"lookup": "web"}), ("1", "2"))
    assert Step("a", "A", "Text.", predict=name).lookups == ("web",)
    assert Step("a", "A", "Text.", predict=Prediction("?", ("a", "b"), 1)).lookups == ()


def test_an_event_is_recorded_again_when_observed() -> None:
    observation = make_observation(make_container("web", "host"), connections=(make_connection(client="192.0.2.9:1"),))
    assert judge_step(STEP, observation, {"1": "earlier"}).noted == {"1": "a connection from 192.0.2.9:1"}
    assert judge_step(STEP, observation, {}).failing is None


def make_workshop(*lines: str) -> Workshop:
    commands = tuple(Command(line, parse_command(line)) for line in lines)
    return Workshop("mine", "Mine", "", (Step("one", "One", "", run=commands),))


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("curl http://192.0.2.2/", True),
        ("curl http://192.0.2.2/ # on the other host", True),
        ("curl http://192.0.2.2/ # on another machine", False),
        ("iptables -A INPUT -j DROP", True),
        ("ufw status", False),
    ],
)
def test_requests_from_another_machine_and_ufw_cannot_be_typed(line: str, *, typed: bool) -> None:
    assert Command(line, parse_command(line)).button_only is not typed


@pytest.mark.parametrize(
    ("line", "private_host", "lan"),
    [
        ("curl http://192.0.2.2/", False, False),
        ("curl http://192.0.2.2/ # on another machine", True, False),
        ("iptables -A INPUT -j DROP", True, False),
        ("docker swarm init", True, False),
        ("docker ps # on the other host", True, True),
    ],
)
def test_a_workshop_needs_a_private_host_for_its_lan_firewall_or_swarm(
    line: str, *, private_host: bool, lan: bool
) -> None:
    workshop = make_workshop("docker ps", line)
    assert (workshop.needs_private_host, workshop.needs_lan) == (private_host, lan)


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("docker run -d --network host nginx", True),
        ("docker run -d --network host nginx sleep 60", False),
        ("docker run -d --network host alpine", False),
        ("docker run -d -p 8080:80 nginx", False),
    ],
)
def test_nginx_in_host_mode_needs_port_80_of_the_machine(line: str, *, needed: bool) -> None:
    assert make_workshop(line).needs_port_80 is needed
