"""Common mistakes get helpful advice."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.workshops.advice import advise
from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import VOCABULARY
from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.model import Command, CommonMistake, Step, judge_step
from dashboard.core.workshops.observation import Observation
from tests.core.observations import make_container, make_observation
from tests.core.workshops.common_mistakes import (
    ALLOCATED,
    BRIDGE,
    EMPTY,
    HOST,
    HOST_RUNS,
    LAUNCH,
    PUBLISHED,
    RUN,
    TABLE,
    TAKEN,
)


def advice_for(check: Check, observation: Observation, *mistakes: CommonMistake) -> str:
    step = Step("s", "S", "Text.", run=RUN, checks=(check,), mistakes=mistakes)
    return advise(step, observation, judge_step(step, observation, {}))


@pytest.mark.parametrize(("check", "observation", "parts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_common_mistake_gets_advice(check: Check, observation: Observation, parts: tuple[str, ...]) -> None:
    message = advice_for(check, observation)
    assert [part for part in parts if part not in message] == [], message
    assert message.endswith((".", "!")), message


def test_every_failing_check_has_advice() -> None:
    for kind, word in VOCABULARY.items():
        arguments: dict[str, str | int] = {
            name: {"port": 80, "number": 1}.get(form, form.partition("|")[0] if "|" in form else "nowhere")
            for name, form in word.parameters.items()
            if name in word.required
        }
        for observation in (EMPTY, HOST, BRIDGE, PUBLISHED, Observation(0.0)):
            step = Step("s", "S", "Text.", run=RUN, checks=(Check(kind, arguments),))
            judgement = judge_step(step, observation, {})
            assert bool(advise(step, observation, judgement)) is not judgement.ok, (kind, observation)


def test_the_authors_advice_comes_first() -> None:
    mistake = CommonMistake(Check("container-running", {"mode": "bridge"}), "This is the bridge.")
    assert advice_for(HOST_RUNS, BRIDGE, mistake) == "This is the bridge."
    assert "Nothing was launched" in advice_for(HOST_RUNS, EMPTY, mistake)
    assert advice_for(HOST_RUNS, HOST, mistake) == "", "nothing is wrong"


def test_the_authors_addition_comes_last() -> None:
    check = Check("removed", {"name": "web"}, "Then go on.")
    assert advice_for(check, HOST).endswith("docker stop web. Then go on.")


def advised(step: Step, *before: Step) -> str:
    return advise(step, EMPTY, judge_step(step, EMPTY, {}), before)


def test_the_advised_line_launches_what_is_expected() -> None:
    lines = (
        "docker run --rm -d --name one --network host nginx",
        "docker run --rm -d --name two -p 8081:80 nginx",
        "docker run --rm -d --name three --network lab -p 8082:80 nginx",
    )
    run = tuple(Command(line, parse_command(line)) for line in lines)
    asked: tuple[dict[str, str | int], ...] = (
        {"mode": "host"},
        {"mode": "bridge", "publish": 8081},
        {"mode": "user-bridge"},
    )
    for number, arguments in enumerate(asked):
        check = Check("container-running", arguments)
        assert f"Type {lines[number]}, or press “Launch”." in advised(Step("s", "S", "T", run=run, checks=(check,)))
        before, later = Step("a", "A", "T", run=run), Step("b", "B", "T", checks=(check,))
        assert f"Type {lines[number]}." in advised(later, before), "what an earlier step has launched may be gone"
        assert "Type" not in advised(Step("c", "C", "T", run=run, checks=(check,), folded=True)), "a challenge"
    assert "Type" not in advised(Step("s", "S", "T", run=run, checks=(Check("container-running", {"name": "four"}),)))


def running_check(**arguments: str | int) -> Check:
    return Check("container-running", arguments)


@pytest.mark.parametrize(
    ("check", "observation", "parts", "absent"),
    [
        # The line to type is offered with its button only where the step has it.
        (HOST_RUNS, EMPTY, (LAUNCH,), ()),
        (running_check(mode="none"), EMPTY, (), ("docker run",)),
        # One container too many is removed; exactly as many as asked for are left alone.
        (
            running_check(mode="host", count=1, publish=8080),
            make_observation(make_container("a", "host")),
            ("8080",),
            ("docker rm -f",),
        ),
        # A container that runs comes before one that ended.
        (
            running_check(mode="bridge", publish=8080),
            make_observation(make_container("old", running=False), make_container("new", publish=8081)),
            ("new", "8081", "docker stop new"),
            ("old",),
        ),
        # The image decides which container is meant, and the name too.
        (
            running_check(mode="host", image="nginx"),
            make_observation(make_container("db", "bridge", image="postgres"), make_container("web", "bridge")),
            ("web", "docker stop web", "--network host"),
            ("db",),
        ),
        (
            running_check(mode="host", name="web"),
            make_observation(make_container("db", "bridge"), make_container("web", "bridge")),
            ("docker stop web",),
            ("db in mode",),
        ),
        (running_check(mode="macvlan"), BRIDGE, ("mode macvlan",), ("image's name", "--network")),
        (running_check(mode="container"), BRIDGE, ("--network container:",), ()),
        (running_check(name="shop", image="nginx"), HOST, ("web", "--name shop"), ()),
        (running_check(name="shop"), HOST, (), ("--name shop",)),
        # What is known of a container that ended.
        (
            HOST_RUNS,
            make_observation(make_container("web", "host", running=False, exit_code=3)),
            ("code 3", "docker rm web"),
            (": .",),
        ),
        (
            HOST_RUNS,
            make_observation(
                make_container("web", "host", running=False, exit_code=3, last_log_lines=("first.", "last."))
            ),
            ("last.", "docker rm web"),
            ("first", "last..", "port"),
        ),
        (
            HOST_RUNS,
            make_observation(make_container("web", "host", running=False, exit_code=1, last_log_lines=(TAKEN, "bye"))),
            ("bye", "port"),
            ("docker stop", "held by"),
        ),
        (
            running_check(name="web"),
            make_observation(
                make_container("web", running=False, error=ALLOCATED, requested=(PublishedPort(80, "tcp", "", 8080),)),
                make_container("old", "host", port=80),
                make_container("holder", publish=8080),
            ),
            ("docker-proxy", "docker stop holder"),
            ("docker stop old",),
        ),
        # A listener that is missing.
        (
            Check("listener", {"port": 80, "mode": "container"}),
            make_observation(make_container("web", "container", port=None)),
            ("docker logs web",),
            ("publishes",),
        ),
        (
            Check("listener", {"port": 80, "image": "nginx"}),
            make_observation(make_container("web", port=None, publish=8081)),
            ("8081", "port 80"),
            ("nothing",),
        ),
        # Requests.
        (
            Check("requested", {"port": 81}),
            make_observation(make_container("web", "host", port=81)),
            ("81", "curl http://127.0.0.1/"),
            (),
        ),
        # What is left over.
        (
            Check("removed", {"image": "nginx"}),
            make_observation(make_container("a"), make_container("b"), make_container("c", running=False)),
            ("a, b", "docker stop a b"),
            ("docker rm", "c:"),
        ),
        (
            Check("removed", {"image": "nginx"}),
            make_observation(make_container("a", running=False), make_container("b", running=False)),
            ("docker rm a b",),
            ("docker stop",),
        ),
        (
            Check("container-status", {"name": "web", "status": "running"}),
            make_observation(make_container("web", running=False)),
            ("web is exited", "running"),
            (),
        ),
        (Check("container-status", {"name": "x", "status": "created"}), EMPTY, ("--rm",), ()),
        (Check("container-status", {"name": "x", "status": "running"}), EMPTY, (), ("--rm out",)),
        (
            Check("network-absent", {"name": "lab"}),
            make_observation(
                make_container("a", "user-bridge"), make_container("b", "bridge"), networks={"lab": "bridge"}
            ),
            ("docker stop a,", "docker network rm lab"),
            (" b.", "stop b"),
        ),
    ],
)
def test_the_message_names_what_to_type_and_nothing_else(
    check: Check, observation: Observation, parts: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    message = advice_for(check, observation)
    assert message
    assert [part for part in parts if part not in message] == [], message
    assert [part for part in absent if part in message] == [], message


def test_the_button_is_mentioned_only_where_the_step_has_the_line() -> None:
    line = "docker run --rm -d --network host nginx"
    launch = Command(line, parse_command(line))
    other = Command("curl http://127.0.0.1/", parse_command("curl http://127.0.0.1/"))
    own = Step("a", "A", "Text.", run=(launch,), checks=(HOST_RUNS,))
    later = Step("b", "B", "Text.", run=(other,), checks=(HOST_RUNS,))
    assert line in advised(own)
    assert line in advised(later, own)
    assert "press “Launch”" in advised(own)
    assert "press" not in advised(later, own)


def test_the_newest_line_of_earlier_steps_is_offered() -> None:
    def step(*lines: str) -> Step:
        return Step("s", "S", "Text.", run=tuple(Command(line, parse_command(line)) for line in lines))

    lines = [f"docker run --rm -d --name {name} --network host nginx" for name in ("one", "two", "three")]
    check = Step("c", "C", "Text.", checks=(HOST_RUNS,))
    assert lines[1] in advised(check, step(lines[2]), step(lines[0], lines[1]))
    assert lines[2] in advised(check, step(lines[0], lines[2]), step("curl http://127.0.0.1/"))
