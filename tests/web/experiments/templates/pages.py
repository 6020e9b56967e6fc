"""Pages of experiments, drawn from sample data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import RequestFactory

from dashboard.core.experiments.messages import Phase
from dashboard.web.experiments.forms import LaunchForm
from tests.core.sample import STARTED_AT, make_columns, make_listener, make_states, make_timeline
from tests.web import sample

ROOT = Path(__file__).resolve().parents[4]
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
    "try": lambda: draw_page(
        "paths/try_result.html", sample.base_context(attempts=sample.ATTEMPTS, columns=make_columns())
    ),
    "sign in": lambda: draw_page("sign_in.html", {}),
    "error": lambda: draw_page("error.html", sample.base_context(status=429, title="Too many", sentence="Wait.")),
    **{f"{status}": partial(draw_page, f"{status}.html", {}) for status in (400, 403, 404, 500)},
}
