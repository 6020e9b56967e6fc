from __future__ import annotations

from collections.abc import Callable

import pytest

from dashboard.launcher import suite
from dashboard.launcher.launch import Launch

MakeLaunch = Callable[..., Launch]


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], ["-m", "not slow"]),
        (["-x", "tests/web"], ["-m", "not slow", "-x", "tests/web"]),
        (["-m", "engine or browser", "-x"], ["-m", "(engine or browser) and not slow", "-x"]),
        (["-mengine"], ["-m", "(engine) and not slow"]),
        (["-m=engine"], ["-m", "(engine) and not slow"]),
        # As with pytest, the last one counts.
        (["-m", "engine", "-m", "browser"], ["-m", "(browser) and not slow"]),
        (["--maxfail=1", "-k", "m"], ["-m", "not slow", "--maxfail=1", "-k", "m"]),
    ],
)
def test_slow_tests_are_deselected_in_addition_to_what_the_user_selects(
    launch: MakeLaunch, given: list[str], passed: list[str]
) -> None:
    command = suite.pytest_command(launch("test", *given))
    assert command[command.index("auto") + 1 :] == passed


def test_all_runs_the_slow_tests_too(launch: MakeLaunch) -> None:
    command = suite.pytest_command(launch("test", "--all", "-m", "engine", "-x"))
    assert command[-5:] == ["-n", "auto", "-m", "(engine)", "-x"]
    assert "--all" not in command


def test_the_team_shape_has_one_process_and_its_own_services(launch: MakeLaunch) -> None:
    started = launch("test", "-x", "--team")
    command = suite.pytest_command(started)
    assert command[:5] == [started.python, "-m", "dashboard.bench.operations.postgres_nats", started.python, "-m"]
    assert command[-6:] == ["-m", "not slow", "-x", *suite.TEAM_TESTS]
    assert "-n" not in command


@pytest.mark.parametrize("words", [("--engine", "debian-forky"), ("--engine=debian-forky",)])
def test_another_engine_runs_the_tests_that_meet_an_engine(launch: MakeLaunch, words: tuple[str, ...]) -> None:
    started = launch("test", "-x", *words)
    command = suite.pytest_command(started)
    assert command[:4] == [started.python, "-m", "dashboard.bench.operations.chosen_engine", "debian-forky"]
    assert command[command.index("auto") + 1 :] == ["-m", "engine and not slow", "-x", *suite.ENGINE_TESTS]
    assert not {"--engine", "debian-forky"} & set(command[4:])


def test_another_engine_runs_the_tests_that_the_user_names(launch: MakeLaunch) -> None:
    command = suite.pytest_command(launch("test", "--engine", "ipv6", "tests/netns"))
    assert command[-3:] == ["-m", "engine and not slow", "tests/netns"]


def test_the_user_selects_among_the_tests_that_use_an_engine(launch: MakeLaunch) -> None:
    command = suite.pytest_command(launch("test", "--all", "-m", "browser", "--engine", "ipv6", "tests"))
    assert command[-3:] == ["-m", "(browser) and engine", "tests"]


def test_tests_for_another_engine_exist() -> None:
    from pathlib import Path

    for name in suite.ENGINE_TESTS:
        path, _, test = name.partition("::")
        file = Path(__file__).parents[2] / path
        assert file.exists(), name
        assert not test or f"def {test}(" in file.read_text(), name


def test_tests_of_the_team_shape_exist(launch: MakeLaunch) -> None:
    from importlib.util import find_spec
    from pathlib import Path

    command = suite.pytest_command(launch("test", "--team"))
    assert find_spec(command[2])
    assert all((Path(__file__).parents[2] / folder).is_dir() for folder in suite.TEAM_TESTS)


@pytest.mark.parametrize("marker", ["engine", "browser", "slow"])
def test_the_markers_are_registered(marker: str, pytestconfig: pytest.Config) -> None:
    assert any(line.startswith(f"{marker}: ") for line in pytestconfig.getini("markers"))
