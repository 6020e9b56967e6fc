"""What the start page and the page of an experiment contain."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.engine_kind import ONLY_PODMAN
from dashboard.core.experiments.journal import Attempt, Trial
from dashboard.core.experiments.messages import Answer, Phase
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import PODMAN_MODES, Mode
from dashboard.templatetags import netmodes
from dashboard.web.experiments import table_presenter
from tests.core.machine_scenes import two_machines
from tests.core.sample import DISCARDED, make_columns, make_crowd, make_states
from tests.web import sample
from tests.web.experiments.templates.pages import PAGES, TYPED, draw_page

WHICH_MODE = "/docs/modes/#host-or-bridge"


@pytest.mark.parametrize("runs", [True, False])
def test_running_experiments_precede_the_presets(runs: bool) -> None:
    context = sample.home_context() if runs else sample.home_context(running=[], past=[])
    html = draw_page("experiments/home.html", context).html
    assert (html.index('id="running-title"') < html.index('id="presets-title"')) == runs


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.WAITING, {"stop", "remove"}),
        (Phase.PREPARING, {"stop"}),
        (Phase.LAUNCHING, {"stop"}),
        (Phase.RUNNING, {"stop", "restart"}),
        (Phase.STOPPING, set()),
        (Phase.STOPPED, {"again", "remove"}),
        (Phase.FAILED, {"again", "remove"}),
    ],
)
def test_buttons_match_the_phase(phase: Phase, expected: set[str]) -> None:
    page = draw_page("experiments/experiment.html", sample.experiment_context(sample.make_snapshot(phase)))
    shown = {
        form["action"].rstrip("/").rsplit("/", 1)[1]
        for form in page.find("form", class_="inline")
        if "data-phases" in form and "hidden" not in form
    }
    assert shown == expected


@pytest.mark.parametrize(
    ("phase", "away", "text"),
    [
        (Phase.RUNNING, False, "running"),
        (Phase.RUNNING, True, "running, engine unavailable"),
        (Phase.STOPPING, True, "stopping"),
    ],
)
def test_a_running_experiment_whose_engine_is_away_is_marked(phase: Phase, away: bool, text: str) -> None:
    page = draw_page(
        "experiments/experiment.html", sample.experiment_context(sample.make_snapshot(phase, engine_away=away))
    )
    (badge,) = page.find("span", data_slot="phase-badge")
    assert ("data-trouble" in badge) is (text == "running, engine unavailable")
    assert f'<span data-slot="phase">{text}</span' in page.html


def test_the_page_has_the_server_s_time_with_which_its_script_corrects_the_browser_s_clock() -> None:
    for read_only in (False, True):
        context = sample.experiment_context() | {"read_only": read_only}
        (main,) = draw_page("experiments/experiment.html", context).find("main")
        assert abs(float(main["data-server-time"]) - time.time()) < 60


def test_the_page_has_every_row_and_cell() -> None:
    snapshot = sample.make_snapshot()
    page = draw_page("experiments/experiment.html", sample.experiment_context(snapshot))
    rows = [attributes["data-row"] for attributes in page.find("tr") if attributes.get("data-row")]
    assert rows == [row_id(row) for row in snapshot.rows]
    cells = [found for tag, found in page.all if tag == "td" and "data-column" in found]
    assert len(cells) >= len(snapshot.rows) * len(snapshot.columns)


def test_an_empty_cell_shows_why() -> None:
    page = PAGES["experiment"]()
    assert "no listener" in page.texts["em"]
    assert "" not in [text.strip() for text in page.texts["em"]]


def test_the_same_namespace_has_the_same_badge() -> None:
    badges = re.findall(r'<span\s+class="ns" data-mode="([\w-]+)"\s*>.*?</svg>(\d+)</span>', PAGES["experiment"]().html)
    assert badges == [
        ("machine", "4026531840"),
        ("machine", "4026531840"),
        ("bridge", "4026532561"),
        ("user-bridge", "4026532674"),
    ]


def test_the_head_shows_the_command_the_warning_and_docker_s_message() -> None:
    html = PAGES["experiment, nine columns"]().html
    assert "docker run --rm -d --network host -p 8080:80 nginx" in re.sub(r"<[^>]*>", "", html)
    assert f"<li>{DISCARDED}</li>" in html
    assert "This node is not a swarm manager." in html
    assert "exit code 1" in html
    assert "bind() to 0.0.0.0:80 failed" in html


@pytest.mark.parametrize(("modes", "shown"), [("host bridge", 1), ("host user-bridge", 1), ("bridge user-bridge", 0)])
def test_host_beside_a_bridge_leads_to_when_to_use_which(modes: str, shown: int) -> None:
    columns = tuple(one for one in make_columns() if one.key in {"machine", *modes.split()})
    context = sample.experiment_context(sample.make_snapshot(columns=columns))
    assert len(draw_page("experiments/experiment.html", context).find("a", href=WHICH_MODE)) == shown
    assert not draw_page("experiments/experiment.html", context | {"read_only": True}).find("a", href=WHICH_MODE)


@pytest.mark.parametrize(
    ("head", "answer", "hidden"),
    [
        ({}, Answer(), False),
        ({"tried": "Every path answered."}, Answer(), True),
        ({"measured": "docker-proxy costs time."}, Answer(), True),
        ({"measurement": "m1"}, Answer(), True),
        ({}, Answer(same="All columns have the same kernel."), True),
        ({}, Answer(trouble=("The container is not running.",), holders=(None,)), True),
    ],
)
def test_the_answer_is_announced_only_without_a_sentence(head: dict[str, Any], answer: Answer, hidden: bool) -> None:
    snapshot = replace(sample.make_snapshot(Phase.STOPPED, **head), answer=answer)
    page = draw_page("experiments/experiment.html", sample.experiment_context(snapshot))
    (notice,) = page.find("p", data_slot="answer-empty")
    assert ("hidden" in notice) == hidden


def test_the_start_page_answers_its_question() -> None:
    assert PAGES["home, first visit"]().find("a", href=WHICH_MODE)


def test_a_past_state_is_not_shown_as_live() -> None:
    page = PAGES["experiment, a moment"]()
    assert page.find("main", data_ws="")
    assert "not live: a past state" in page.html
    assert "Show the current state" in page.html


def test_rows_after_the_fortieth_are_folded() -> None:
    states = make_states(*make_crowd(60))
    sections = table_presenter.list_sections(make_columns(), sample.make_snapshot(states=states).rows)
    listeners = next(one for one in sections if one.key == "listeners")
    assert [one.over for one in listeners.rows].index(True) == table_presenter.FOLD_AFTER
    assert listeners.folds


def test_a_refused_launch_keeps_all_input_and_links_to_every_error() -> None:
    page = PAGES["home, refused"]()
    (image,) = page.find("input", name="image")
    assert image["value"] == TYPED["image"]
    assert image["aria-invalid"] == "true"
    assert page.find("input", name="arms-0-image")[0]["value"] == "kept"
    publish = page.find("input", name="arms-1-publish")[0]
    assert publish["value"] == "99999:80"
    assert publish["aria-invalid"] == "true"
    assert "checked" in page.find("input", name="arms-1-publish_all")[0]
    assert "A=1\nB=2" in [text.removeprefix("\n") for text in page.texts["textarea"]]
    targets = [link["href"] for link in page.find("a") if link["href"].startswith(("#field", "#arms"))]
    assert targets == ["#field-image", "#field-mode", "#arms-1-publish"]
    ticked = [found["value"] for found in page.find("input", name="mode") if "checked" in found]
    assert ticked == ["bridge", "none"]


def test_host_and_bridge_are_ticked_and_unavailable_modes_are_disabled() -> None:
    page = PAGES["home"]()
    modes = {found["value"]: found for found in page.find("input", name="mode")}
    assert set(modes) == set(Mode) - PODMAN_MODES
    assert page.html.count(ONLY_PODMAN) == 1
    assert {name for name, found in modes.items() if "checked" in found} == {"host", "bridge"}
    assert {name for name, found in modes.items() if "disabled" in found} == {"ipvlan", "overlay"}
    assert "This kernel has no ipvlan module." in page.html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("run `docker swarm init` first", "run <code>docker swarm init</code> first"),
        ("`<b>` & `c`", "<code>&lt;b&gt;</code> &amp; <code>c</code>"),
        ("one ` alone <", "one ` alone &lt;"),
        ("", ""),
    ],
)
def test_text_between_backticks_is_code_and_the_rest_is_text(text: str, html: str) -> None:
    assert netmodes.with_code(text) == html


def test_a_chosen_path_is_marked_in_both_diagrams_and_every_path_is_listed() -> None:
    snapshot = sample.make_snapshot()
    path = next(one for one in snapshot.paths if one.hops)
    page = draw_page("experiments/experiment.html", sample.experiment_context(snapshot, path_key=path.key))
    numbers = re.findall(r'<g class="number"\s*>.*?>(\d)</text>', page.html, re.DOTALL)
    assert numbers == [str(place) for place in range(1, len(path.hops) + 1)] * 2
    passed = {one["data-id"] for one in page.find("g") if "passed" in one.get("class", "").split()}
    assert passed == {identity for hop in path.hops for identity in hop.ids}
    assert [one["data-path"] for one in page.find("li") if one.get("data-path")] == [one.key for one in snapshot.paths]
    (chosen,) = [one for one in page.find("a", aria_current="true") if one.get("data-slot") == "link"]
    assert chosen["href"] == "?#picture-title"


@pytest.mark.parametrize("key", ["", "nobody/nowhere", "<b>"])
def test_without_a_chosen_path_nothing_is_marked_and_an_unknown_one_is_reported(key: str) -> None:
    page = draw_page("experiments/experiment.html", sample.experiment_context(path_key=key))
    assert "passed" not in {one for tag in page.find("g") for one in tag.get("class", "").split()}
    assert ("There is no path" in page.html) == bool(key)
    assert "<b>" not in page.html.partition("There is no path")[2][:20]


def test_requests_to_several_machines_are_grouped_below_the_name_of_each() -> None:
    columns, states = two_machines()
    attempts = (
        Attempt("loopback", "127.0.0.1 to host", "machine", "host", "", "", 200),
        Attempt("loopback", "127.0.0.1 to host-lab2", "machine@2", "host-lab2", "", "", 200),
        Attempt("published-proxy", "127.0.0.1 to bridge-lab2", "machine@2", "bridge-lab2", "", "", 200),
    )
    snapshot = replace(sample.make_snapshot(columns=columns, states=states), trial=Trial(attempts, 1.0, 1))
    whole = draw_page("experiments/experiment.html", sample.experiment_context(snapshot)).html
    result = draw_page("paths/try_result.html", sample.base_context(attempts=attempts, columns=columns)).html
    for html, level in ((whole, 3), (result, 2)):
        headings = re.findall(
            r'<h(\d)(?: class="attempts-machine")? data-slot="(?:machine|title)"( hidden)?>([^<]+)</h\d>', html
        )
        assert headings == [
            (str(level), "", "server"),
            (str(level + 1), "", "127.0.0.1 to host"),
            (str(level), "", "lab2"),
            (str(level + 1), "", "127.0.0.1 to host-lab2"),
            (str(level + 1), "", "127.0.0.1 to bridge-lab2"),
        ]


def test_requests_to_one_machine_have_no_heading_of_a_machine() -> None:
    page = draw_page("paths/try_result.html", sample.base_context(attempts=sample.ATTEMPTS, columns=make_columns()))
    (machine,) = page.find("h2", data_slot="machine")
    assert "hidden" in machine
    assert len(page.find("h2", data_slot="title")) == len(sample.ATTEMPTS)
