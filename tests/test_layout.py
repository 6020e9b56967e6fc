"""The tree tells the story: every module has its test, none grows too long, no test sleeps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("core", "engine", "netns", "latency", "lab")
MOST_LINES = 400

#: Modules without a test file of their own, each with the reason.
NO_TEST_OF_ITS_OWN: dict[str, str] = {
    "core/workshops/checks/check_types.py": "what checks are made of: test_checks goes through every one",
    "core/workshops/checks/containers.py": "one chapter of the vocabulary: test_checks goes through every check",
    "core/workshops/checks/namespaces.py": "one chapter of the vocabulary: test_checks goes through every check",
    "core/paths/model.py": "the values that paths are made of: test_paths finds every kind",
    "core/paths/published.py": "one chapter of paths: test_paths goes through every published port",
    "core/training/results/model.py": "types only: test_session_report fills them, test_shapes has their schema",
    "engine/protocol.py": "types only: test_docker_engine holds the implementation to them",
    "store/operations/advisory_lock.py": "locks of PostgreSQL: team/test_team has one lab of two, and a migration at a time",
    "lab/remote/experiment_calls.py": "questions of pages: test_questions hands each over, web/experiments/test_views asks them",
    "lab/remote/training_calls.py": "questions of a class: test_questions hands each over, web/training/test_views asks them",
    "store/training/session_versions.py": "newest numbers of a class: web/operations/test_peer_sync finds what has changed by them",
    "store/training/join_code_attempts.py": "guesses of join codes: test_team_store counts them over two processes",
    "lab/supervisor.py": "what a process holds: web/operations/test_remote_lab and test_questions open and close it",
    "lab/lab_process.py": "the main loop of a process: team/test_team starts it, kills it and starts it again",
    "lab/remote/rpc_server.py": "the lab's end of a team: web/operations/test_remote_lab asks it from the other end",
    "lab/remote/wakeups.py": "wake-ups between processes: web/operations/test_peer_sync tells and hears them, team/test_team loses them",
    "lab/remote/workshop_calls.py": "questions of steps: test_questions hands each over, web/workshops/test_views asks them",
    "latency/children.py": "test_process starts, asks and ends its children",
}

#: Folders whose modules are all of one form and tested as such, with where.
TESTED_AS_ONE = {
    "claims": "test_claim and lab/claims/test_executor run each of them, and each the other way round",
    "help": "web/test_help_text goes through every answer and every heading",
    "misconceptions": "test_misconception goes through each of them; each shows a claim",
}

#: Tests that hold several modules together, with what they prove.
BESIDE: dict[str, str] = {
    "engine/test_engine_faults.py": "an engine that hangs, dies, comes back or loses its socket",
    "engine/test_facts.py": "what Docker's network modes really do, asked of a real engine",
    "engine/test_hostile_engine.py": "answers that are nonsense end in a value or an EngineError",
    "engine/test_run_line.py": "the line that is shown does what was done",
    "latency/test_filtered.py": "a firewall between client and server",
    "latency/test_told_apart.py": "what the runner finds on a quiet machine: differences of microseconds",
    "lab/test_class_lab.py": "two groups on hosts of their own: launch, measure, claim, see nothing of each other",
    "lab/test_faults.py": "the lab on an engine and a database that fail",
    "netns/test_truth.py": "what is read is what ip, ss and sysctl say",
}

#: Modules that are longer for a reason.
LONGER: dict[str, str] = {
    "engine/docker_engine.py": "the one file that imports the Docker SDK: every call of the port is in it",
}


def sources(folder: str) -> list[Path]:
    """The Python files of a folder of ours, git-ignored ones left out."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def modules() -> list[str]:
    """``core/namespaces/delta.py`` … of every layer that must be tested module by module."""
    found = (path.relative_to(ROOT / "dashboard") for layer in LAYERS for path in sources(f"dashboard/{layer}"))
    return [str(path) for path in found if path.name != "__init__.py" and path.parent.name not in TESTED_AS_ONE]


@pytest.mark.parametrize("module", modules())
def test_a_module_has_a_test_file_of_the_same_name(module: str) -> None:
    path = Path(module)
    test = ROOT / "tests" / path.parent / f"test_{path.name}"
    if module in NO_TEST_OF_ITS_OWN:
        assert NO_TEST_OF_ITS_OWN[module]
        assert not test.exists(), f"{module} has a test now: it is no exception any more"
    else:
        assert test.exists(), f"write {test.relative_to(ROOT)}, or say why {module} needs none"
        assert re.search(r"^(async )?def test_", test.read_text(), re.MULTILINE), f"{test.name} tests nothing"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_test_file_tests_a_module_that_is_there(layer: str) -> None:
    """A module that was renamed takes its test along."""
    known = {f"test_{Path(module).name}" for module in modules() if module.startswith(f"{layer}/")}
    tests = {path.name for path in (ROOT / "tests" / layer).glob("test_*.py")}
    assert {f"{layer}/{name}" for name in tests - known} <= set(BESIDE)


def test_exceptions_name_modules_that_are_there() -> None:
    assert {*NO_TEST_OF_ITS_OWN, *LONGER} <= {*modules()}
    assert [name for name in BESIDE if not (ROOT / "tests" / name).exists()] == []
    assert all({**NO_TEST_OF_ITS_OWN, **BESIDE, **LONGER}.values())


@pytest.mark.parametrize("path", sources("dashboard"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_short_enough_to_read_in_one_go(path: Path) -> None:
    name = str(path.relative_to(ROOT / "dashboard"))
    count = len(path.read_text().splitlines())
    if name in LONGER:
        assert count > MOST_LINES, f"{name} is short again: it is no exception any more"
    else:
        assert count <= MOST_LINES, f"{name} has {count} lines: divide it by noun"


#: Tests in which something else than the test sleeps, with what it is.
SLEEPERS: dict[str, str] = {
    "lab/test_terminal_line.py": "a question that waits on purpose, so that another overtakes it",
    "latency/conftest.py": "a server that stalls on purpose, so that the stall is measured",
    "web/test_far_lab.py": "an output that never ends, in pieces",
}
SLEEP = re.compile(r"\bsleep\s*\(")


@pytest.mark.parametrize("path", sources("tests"), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_sleeps(path: Path) -> None:
    asleep = [line.strip() for line in path.read_text().splitlines() if SLEEP.search(line)]
    if str(path.relative_to(ROOT / "tests")) in SLEEPERS:
        assert len(asleep) == 1
    elif path != Path(__file__).resolve():
        assert asleep == [], "poll with a deadline: tests/polling.py"


def test_no_test_of_the_page_sleeps() -> None:
    for path in (ROOT / "tests" / "js").glob("*.mjs"):
        assert "setTimeout" not in path.read_text(), path.name


def test_the_launcher_can_be_run() -> None:
    assert shutil.which(str(ROOT / "netmodes")) is not None
