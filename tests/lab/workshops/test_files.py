"""Workshops on disk: the built-in ones are valid, and nothing outside a folder is read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dashboard.core.namespaces.addresses import bracket
from dashboard.core.workshops.actions import Curl, Inspect, OnOtherHost
from dashboard.core.workshops.advice import advise
from dashboard.core.workshops.checks.vocabulary import VOCABULARY
from dashboard.core.workshops.launches import Launch
from dashboard.core.workshops.model import Workshop, correct_choice, judge_step
from dashboard.core.workshops.parser import HEAD, MAX_WORDS, count_words
from dashboard.core.workshops.truth_readings import READINGS
from dashboard.lab.workshops.files import BUILT_IN, MAX_BYTES, MAX_FILES, Library, read_folder
from tests.core.observations import make_connection, make_container, make_observation
from tests.core.workshops.test_parser import GOOD
from tests.lab.workshops.readability import grade, syllables

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "workshops.md"
MAX_GRADE = 9.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a valid workshop."""
    made = tmp_path / "own" / "mine"
    made.mkdir(parents=True)
    for name, text in GOOD.items():
        (made / name).write_text(text)
    return made


def built_in() -> list[Workshop]:
    found = [one.workshop for one in Library(Path("/nonexistent")).all()]
    return [one for one in found if one is not None]


def refused(folder: Path) -> str:
    parsed = read_folder(folder)
    assert parsed.workshop is None, "nothing is partially parsed"
    return "\n".join(map(str, parsed.problems))


# The built-in ones.


def test_the_built_in_workshops_load_in_order() -> None:
    assert [one.slug for one in built_in()] == ["host-network", "bridge-and-dns", "from-outside", "across-hosts"]
    assert [str(one) for entry in Library(Path("/nonexistent")).all() for one in entry.parsed.problems] == []


def test_the_host_network_workshop_goes_from_preparing_to_cleaning_up() -> None:
    steps = [step.slug for step in built_in()[0].steps]
    assert steps[:6] == ["prepare", "launch", "request", "interfaces", "process", "stop"]
    assert steps[6:12] == ["isolation", "performance", "ports", "interference", "dns", "when"], "the six statements"
    assert steps[12:] == ["bridge", "user-bridge", "challenge", "clean-up"]


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("127.0.0.1", ""),
        ("::1", "localhost can also be the IPv6 address ::1"),
        ("192.0.2.2", "no request from 127.0.0.1"),
    ],
)
def test_a_request_to_another_address_makes_no_prediction_of_the_client_wrong(address: str, advice: str) -> None:
    """The client's address is the server's: a request to localhost or to an address on the LAN is not what the step's
    question is about."""
    step = next(step for step in built_in()[0].steps if step.slug == "request")
    request = make_connection(server=address, client=f"{bracket(address)}:50000")
    observation = make_observation(make_container("web", "host"), connections=(request,))
    judgement = judge_step(step, observation, {})
    assert judgement.ok is (not advice)
    assert advice in advise(step, observation, judgement, ())
    assert step.predict is not None
    assert not judgement.ok or correct_choice(step.predict, judgement.truth) == 0


@pytest.mark.parametrize("workshop", built_in(), ids=lambda one: one.slug)
def test_the_text_is_short_and_readable(workshop: Workshop) -> None:
    whole = []
    for step in workshop.steps:
        assert count_words(step.text) + count_words(step.reveal) <= MAX_WORDS, step.slug
        texts = [step.text, step.reveal, *step.hints]
        texts += [step.predict.question, *step.predict.choices] if step.predict else []
        whole += texts
        assert grade("\n\n".join(texts)) <= MAX_GRADE, (step.slug, grade("\n\n".join(texts)))
    assert grade("\n\n".join(whole)) <= MAX_GRADE - 2


@pytest.mark.parametrize("workshop", built_in(), ids=lambda one: one.slug)
def test_a_step_has_a_reveal_and_hints_and_commands_for_its_requests(workshop: Workshop) -> None:
    for step in workshop.steps:
        assert step.reveal, step.slug
        assert step.checks or step.predict, step.slug
        assert not step.checks or step.hints, step.slug
        actions = [one.action.action if isinstance(one.action, OnOtherHost) else one.action for one in step.run]
        asks = {action.port for action in actions if isinstance(action, Curl)}
        asks |= {80 for action in actions if isinstance(action, Inspect) and action.argv[0] == "wget"}
        asks |= {80} if asks else set()  # a published port leads to port 80 of a container
        assert asks >= set(step.ports) - ({80} if step.slug == "request" else set()), f"{step.slug}: no command asks"
        launches = [command.action.run for command in step.run if isinstance(command.action, Launch)]
        assert all(one.name for one in launches), "a name, so that later commands can say it"


def test_a_truth_about_the_holder_of_a_port_is_explained_also_without_docker_proxy() -> None:
    """The truth is read from the engine: with userland-proxy=false it is dockerd."""
    for step in (step for workshop in built_in() for step in workshop.steps):
        reading = step.predict.reading if step.predict else None
        if reading is not None and reading.kind == "listener-process" and "docker-proxy" in step.reveal:
            assert "userland-proxy=false" in step.reveal, step.slug


def test_no_check_needs_the_name_of_the_default_bridge() -> None:
    """dockerd -b gives it another name."""
    checks = [check for workshop in built_in() for step in workshop.steps for check in step.checks]
    assert [check for check in checks if check.arguments.get("interface") == "docker0"] == []


def test_readability_is_measured() -> None:
    assert [syllables(word) for word in ("the", "network", "engine", "available", "passed", "wanted")] == [
        1,
        2,
        2,
        4,
        1,
        2,
    ]
    assert grade("The cat sat. The dog ran.") < 1
    hard = "Notwithstanding the aforementioned architectural considerations, virtualisation infrastructures necessitate"
    assert grade(hard) > 20


# Folders.


def test_a_folder_is_read_completely(folder: Path) -> None:
    found = read_folder(folder).workshop
    assert found is not None
    assert found.slug == "mine"
    (folder / ".gitignore").write_text("x")
    assert read_folder(folder).workshop == found, "hidden files are ignored"


def test_files_may_begin_with_a_byte_order_mark(folder: Path) -> None:
    without = read_folder(folder).workshop
    for path in folder.iterdir():
        path.write_text(path.read_text(), encoding="utf-8-sig")
    assert read_folder(folder).problems == ()
    assert read_folder(folder).workshop == without


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("+++\ntitle = 'the canary'\n+++\nText.\n")
    (folder / "02-secret.md").symlink_to(secret)
    texts = refused(folder)
    assert "02-secret.md: links are not followed" in texts
    assert "canary" not in texts
    (folder / "02-secret.md").unlink()
    (folder / "02-more.md").mkdir()
    assert "02-more.md: a workshop's folder may contain regular files only" in refused(folder)
    (folder / "02-more.md").rmdir()
    os.mkfifo(folder / "02-pipe.md")
    assert "02-pipe.md: a workshop's folder may contain regular files only" in refused(folder), (
        "and a pipe does not block"
    )


def test_sizes_and_counts_are_limited(folder: Path) -> None:
    (folder / "02-large.md").write_text("x" * (MAX_BYTES + 1))
    assert "02-large.md: it is larger than 32 KiB" in refused(folder)
    (folder / "02-large.md").write_bytes(b"ok\n\xff\xfe")
    assert "02-large.md:2: this is not UTF-8" in refused(folder)
    (folder / "02-large.md").unlink()
    for number in range(MAX_FILES):
        (folder / f"x{number}").touch()
    assert f"at most {MAX_FILES}" in refused(folder)


def test_an_invalid_folder_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "not a folder" in refused(file)
    assert "No such file" in refused(tmp_path / "nowhere")
    assert "NUL" in refused(Path("a\0b"))
    strange = tmp_path / os.fsdecode(b"\xff\x1b[31m")
    strange.mkdir()
    assert "\x1b" not in refused(strange)
    refused(strange).encode()


# The library.


def test_own_workshops_follow_the_built_in_ones(folder: Path) -> None:
    library = Library(folder.parent)
    found = [(one.name, one.own) for one in library.all()]
    built_in = [("host-network", False), ("bridge-and-dns", False), ("from-outside", False), ("across-hosts", False)]
    assert found == [*built_in, ("mine", True)], "sorted by “order”"
    assert library.get("mine") is not None
    assert library.get("../mine") is None


def test_a_change_on_disk_is_noticed_and_an_error_removes_the_workshop(folder: Path) -> None:
    library = Library(folder.parent)
    first = library.get("mine")
    assert library.get("mine") is first, "an unchanged folder is not read again"
    head = (folder / HEAD).read_text()
    (folder / HEAD).write_text(head.replace("A workshop", "Another workshop"))
    changed = library.get("mine")
    assert changed is not None
    assert changed.title == "Another workshop"
    (folder / HEAD).write_text("format = ")
    assert library.get("mine") is None
    broken = next(one for one in library.all() if one.name == "mine")
    assert broken.parsed.problems[0].file == HEAD


def test_two_workshops_with_the_same_slug_are_not_mixed(folder: Path) -> None:
    (folder / HEAD).write_text(GOOD[HEAD] + 'slug = "host-network"\n')
    library = Library(folder.parent)
    broken = next(one for one in library.all() if one.name == "mine")
    assert "already" in str(broken.parsed.problems[0])
    found = library.get("host-network")
    assert found is not None
    assert len(found.steps) == 16


def test_a_link_in_the_library_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "linked").symlink_to(folder)
    assert Library(tmp_path / "shelf", built_in=tmp_path / "none").get("mine") is None
    assert read_folder(tmp_path / "shelf" / "linked").workshop is not None, "a path that is given is"


def test_every_check_and_reading_is_documented() -> None:
    text = DOCUMENT.read_text()
    for kind, word in VOCABULARY.items():
        line = next((one for one in text.splitlines() if one.startswith(f"| `{kind}` |")), "")
        assert line, f"docs/workshops.md lacks {kind}"
        assert all(f"`{name}`" in line for name in word.parameters if name not in {"mode", "image", "name", "place"}), (
            line
        )
    for kind in READINGS:
        assert f"| `{kind}` |" in text, f"docs/workshops.md lacks the reading {kind}"
    assert str(BUILT_IN.relative_to(DOCUMENT.parents[1])) in text


def test_the_example_in_the_document_is_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"```(toml|markdown)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    head, step = (next(text for kind, text in blocks if kind == wanted) for wanted in ("toml", "markdown"))
    (tmp_path / HEAD).write_text(head)
    (tmp_path / "01-launch.md").write_text(step)
    parsed = read_folder(tmp_path)
    assert [str(one) for one in parsed.problems] == []
