"""The pages: complete, safe under the strictest content security policy, and equal to what the browser draws."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import RequestFactory

from dashboard.core.diagram.topology import Box, Picture
from dashboard.core.experiments.engine_kind import ONLY_PODMAN
from dashboard.core.experiments.messages import Column, Phase, PublishedPort, Row
from dashboard.core.experiments.picture import DrawnPath
from dashboard.core.experiments.stream import PlacedRow as Placed
from dashboard.core.experiments.stream import RowPatch, row_id
from dashboard.core.measurements import formatting
from dashboard.core.modes import PODMAN_MODES, Mode
from dashboard.templatetags import netmodes
from dashboard.web.experiments import picture_presenter, table_presenter
from dashboard.web.experiments.forms import LaunchForm
from tests.core.sample import DISCARDED, STARTED_AT, make_columns, make_crowd, make_listener, make_states, make_timeline
from tests.core.strategies import apply_rows
from tests.web import sample

ROOT = Path(__file__).resolve().parents[3]
VECTORS = json.loads((ROOT / "tests/js/vectors.json").read_text())
WHICH_MODE = "/docs/modes/#host-or-bridge"
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7 }}</script>"


class Page(HTMLParser):
    """The elements of a page: ``all`` has (tag, attributes), ``texts`` has the texts by tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.all: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def find(self, tag: str = "", **attributes: str) -> list[dict[str, str]]:
        """Elements by tag and attributes; ``_`` stands for ``-``, a trailing one is dropped."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found
            for name, found in self.all
            if (not tag or name == tag) and all(found.get(key) == value for key, value in wanted.items())
        ]


def draw_page(template: str, context: dict[str, Any], path: str = "/") -> Page:
    request = RequestFactory().get(path)
    return Page(render_to_string(template, context | {"request": request, "csrf_token": "t0ken"}))


def hostile_snapshot() -> Any:
    """A snapshot with hostile text in every place that an image, a container or a user controls."""
    first, host, *others = make_columns()
    host = replace(
        host,
        title=HOSTILE,
        command=HOSTILE,
        warnings=(HOSTILE,),
        error=HOSTILE,
        exit_code=1,
        logs=(HOSTILE,),
    )
    timeline = (replace(make_timeline()[0], text=HOSTILE, cause=HOSTILE),)
    return sample.make_snapshot(
        columns=(first, host, *others),
        states=make_states(make_listener(9000, HOSTILE, 7)),
        timeline=timeline,
        notice=HOSTILE,
        problem=HOSTILE,
        progress=HOSTILE,
    )


TYPED = {
    "image": 'ngi "nx"',
    "port": "80",
    "publish": "8080:80",
    "names": "ab",
    "mode": ["none", "bridge", "hots"],
    "arms-TOTAL_FORMS": "3",
    "arms-INITIAL_FORMS": "0",
    "arms-0-mode": "host",
    "arms-0-image": "kept",
    "arms-1-mode": "bridge",
    "arms-1-publish": "99999:80",
    "arms-1-environment": "A=1\nB=2",
    "arms-1-publish_all": "on",
    "arms-2-mode": "host",
}


def refused_form() -> LaunchForm:
    """The refused form with all typed values and its errors."""
    data = QueryDict(mutable=True)
    for name, value in TYPED.items():
        data.setlist(name, [value] if isinstance(value, str) else [*value])
    form = LaunchForm(data)
    assert form.parse() is None
    return form


PAGES: dict[str, Callable[[], Page]] = {
    "home": lambda: draw_page("experiments/home.html", sample.home_context()),
    "home, first visit": lambda: draw_page("experiments/home.html", sample.home_context(running=[], past=[])),
    "home, refused": lambda: draw_page("experiments/home.html", sample.home_context(form=refused_form())),
    "home, no engine": lambda: draw_page(
        "experiments/home.html", sample.home_context(modes=(), engine_problem="No socket.")
    ),
    "experiment": lambda: draw_page("experiments/experiment.html", sample.experiment_context()),
    "experiment, nine columns": lambda: draw_page(
        "experiments/experiment.html", sample.experiment_context(sample.make_eventful_snapshot())
    ),
    "experiment, nothing yet": lambda: draw_page(
        "experiments/experiment.html",
        sample.experiment_context(sample.make_snapshot(Phase.WAITING, make_columns()[:1], {}, (), started_at=None)),
    ),
    "experiment, a moment": lambda: draw_page(
        "experiments/experiment.html",
        sample.experiment_context(sample.make_snapshot(Phase.STOPPED, as_it_was=STARTED_AT), ws_path=""),
        "/experiments/7f2a9c/?at=5",
    ),
    "experiment, hostile": lambda: draw_page(
        "experiments/experiment.html", sample.experiment_context(hostile_snapshot())
    ),
    "doctor": lambda: draw_page("operations/doctor.html", sample.base_context(doctor=sample.make_doctor())),
    "doctor, no engine": lambda: draw_page(
        "operations/doctor.html", sample.base_context(doctor=replace(sample.make_doctor(), engine=None))
    ),
    "try": lambda: draw_page("paths/try_result.html", sample.base_context(attempts=sample.ATTEMPTS)),
    "sign in": lambda: draw_page("sign_in.html", {}),
    "error": lambda: draw_page("error.html", sample.base_context(status=429, title="Too many", sentence="Wait.")),
    **{f"{status}": partial(draw_page, f"{status}.html", {}) for status in (400, 403, 404, 500)},
}


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]()


def test_nothing_in_a_page_needs_a_weaker_policy(page: Page) -> None:
    for tag, attributes in page.all:
        assert "style" not in attributes, (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        if tag == "script":
            assert attributes.get("src", "").startswith("/static/") or attributes.get("type") == "application/json"
        for name in ("src", "href", "action"):
            if name in attributes:
                assert attributes[name].startswith(("/", "#", "?")), (tag, attributes)
                assert not attributes[name].startswith("//")
    assert "style" not in page.texts


def test_no_comment_of_a_template_is_shown(page: Page) -> None:
    assert "{#" not in page.html, "a comment of Django's templates has one line"


def test_ids_are_unique_and_references_exist(page: Page) -> None:
    ids = Counter(attributes["id"] for _tag, attributes in page.all if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    for tag, attributes in page.all:
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            for reference in attributes.get(name, "").split():
                assert reference in ids, (tag, name, reference)
        # "#shape-" stands in a <template>: the browser fills in the mode.
        if attributes.get("href", "#shape-") != "#shape-" and attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids, attributes


def test_every_post_carries_a_token(page: Page) -> None:
    posts = page.find("form", method="post")
    tokens = page.find("input", name="csrfmiddlewaretoken")
    assert len(tokens) == len(posts)
    searches = page.find("form", method="get", role="search")
    assert len(page.find("form")) == len(posts) + len(searches)


def test_every_input_has_a_label(page: Page) -> None:
    labelled = {attributes["for"] for attributes in page.find("label") if "for" in attributes}
    for tag, attributes in page.all:
        if tag in {"input", "select", "textarea"} and attributes.get("type") not in {"hidden", "checkbox"}:
            assert attributes.get("id") in labelled or attributes.get("aria-label"), attributes


def test_a_page_has_one_heading_one_main_and_a_skip_link(page: Page) -> None:
    assert len(page.find("h1")) == 1
    assert len(page.find("main", id="main")) == 1
    assert page.find("a", href="#main", class_="skip")


@pytest.mark.parametrize("runs", [True, False])
def test_what_runs_precedes_the_presets(runs: bool) -> None:
    context = sample.home_context() if runs else sample.home_context(running=[], past=[])
    html = draw_page("experiments/home.html", context).html
    assert (html.index('id="running-title"') < html.index('id="presets-title"')) == runs


def test_hostile_text_stays_text() -> None:
    page = PAGES["experiment, hostile"]()
    assert not page.find("img")
    assert "<img src=x" not in page.html
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.html
    assert len(page.find("script", src="")) == 0


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.WAITING, {"stop"}),
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


@pytest.mark.parametrize("name", ["duration", "offset", "micros"])
def test_figures_are_formatted_as_in_the_browser(name: str) -> None:
    say = {
        "duration": formatting.format_duration,
        "offset": formatting.format_offset,
        "micros": formatting.format_micros,
    }[name]
    assert [say(value) for value, _text in VECTORS[name]] == [text for _value, text in VECTORS[name]]


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


def test_cells_boxes_and_ports_are_those_of_the_browser() -> None:
    for one in VECTORS["cells"]:
        columns = msgspec.convert(one["columns"], tuple[Column, ...])
        cells = table_presenter.list_cells(msgspec.convert(one["row"], Row), columns)
        assert json.loads(msgspec.json.encode(cells)) == one["expected"]
    for one in VECTORS["boxes"]:
        box = picture_presenter.lay_out_box(msgspec.convert(one["box"], Box))
        assert json.loads(msgspec.json.encode(box)) == one["expected"]
    for one in VECTORS["numbers"]:
        boxes = msgspec.convert(one["boxes"], tuple[Box, ...])
        numbers = picture_presenter.number_hops(boxes, msgspec.convert(one["path"], DrawnPath))
        assert json.loads(msgspec.json.encode(numbers)) == one["expected"]
    for port, text in VECTORS["published"]:
        assert table_presenter.format_published(msgspec.convert(port, PublishedPort)) == text
    for text, inode in VECTORS["inode"]:
        assert table_presenter.namespace_inode(text) == inode


def test_patches_are_applied_as_the_browser_applies_them() -> None:
    def row(name: str) -> Row:
        return Row("s", name, "", {}, sample.make_snapshot().rows[0].relation)

    for one in VECTORS["rows"]:
        placed = tuple(Placed(f"s/{name}/", f"s/{after}/" if after else "", row(name)) for name, after in one["set"])
        patch = RowPatch(placed, tuple(f"s/{name}/" for name in one["remove"]))
        after = apply_rows(tuple(row(name) for name in one["before"]), patch)
        assert [found.key for found in after] == one["after"], one["name"]


def test_no_locale_puts_a_comma_into_a_diagram() -> None:
    assert picture_presenter.number(12.5) == "12.5"
    assert picture_presenter.number(-0.001) == "0"
    assert picture_presenter.lay_out(Picture(1400, 300.125)).box == "0 0 1400 300.13"


def test_every_text_that_scripts_use_exists() -> None:
    said = set()
    for file in (ROOT / "static/dashboard/js/ui").rglob("*.js"):
        said |= set(re.findall(r"\bwords\.(\w+)", file.read_text()))
    assert said <= set(netmodes.interface_words())


def test_the_first_load_is_small() -> None:
    page = PAGES["experiment"]()
    addresses = re.findall(r'(?:href|src)="[^"]*/dashboard/([^"]+\.(?:js|css))"', page.html)
    files = {ROOT / "static/dashboard" / address for address in addresses}
    assert len(files) > 20, "the page names its style sheets and modules"
    total = sum(len(gzip.compress(file.read_bytes())) for file in files)
    total += len(gzip.compress(page.html.encode()))
    assert total < 120_000
