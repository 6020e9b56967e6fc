"""The pages of measurements, drawn without a server."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.test import RequestFactory

from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Measurement, Options, Probe, Stop
from dashboard.core.measurements.schedule import make_series, missing_paths
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.paths.finder import measured_paths
from dashboard.core.paths.model import Path as Way
from dashboard.templatetags.words import WORDS
from tests.core.sample import STARTED_AT
from tests.core.scenes import make_scene
from tests.web import sample
from tests.web.experiments.templates.pages import Page

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7 }}</script>"
SHIFTS = {"bridge-address": 1.5, "published-dnat": 3.1, "published-proxy": 29.8}
ENVIRONMENT = Environment(
    kernel="6.18.1", machine="x86_64", cpu_model="AMD EPYC", cores=2, client_core=0, responder_core=1,
    engine="26.1.5", engine_api="1.45", userland_proxy=True, firewall_backend="iptables", mtu={"lo": 65536},
    offloads={"lo": ("sg", "tso")}, load_before=(0.1, 0.2, 0.3), load_after=(0.4, 0.5, 0.6), python="3.13.5",
)  # fmt: skip


def make_blocks(key: str, path: Way, count: int = 30) -> list[Block]:
    source = random.Random(key)
    blocks = []
    for number in range(count):
        middle = 18.6 + SHIFTS.get(str(path.kind), 0.0) + source.gauss(0, 0.3)
        times = [int(1000 * max(1.0, source.gauss(middle, 2))) for _ in range(60)]
        blocks.append(
            Block(key, number, number * 0.3, 0.05, 60, middle, middle, middle + 3, 41.0, histogram=encode_times(times))
        )
    return blocks


@cache
def build_run(
    modes: tuple[str, ...], probes: tuple[Probe, ...], count: int, stopped: Stop | None
) -> tuple[Measurement, tuple[Block, ...]]:
    paths = measured_paths(*make_scene(modes))
    series = make_series(paths, probes)
    blocks = {one.key: make_blocks(one.key, one.path, count) for one in series} if count else {}
    found = build_measurement(
        series,
        blocks,
        ENVIRONMENT,
        Options(),
        seed=7,
        missing=missing_paths(paths, probes),
        stopped=stopped,
        stop_reason="The time of 10 s is up." if stopped else "",
        elapsed_s=10.0,
    )
    return found, tuple(one for own in blocks.values() for one in own)


def make_measurement(
    *modes: str, probes: tuple[Probe, ...] = (Probe.TCP_RR,), count: int = 30, stopped: Stop | None = Stop.TIME
) -> tuple[Measurement, list[dict[str, Any]]]:
    """A run over the paths of these modes, and its blocks as the page gets them."""
    found, blocks = build_run(modes or ("host", "bridge", "none"), probes, count, stopped)
    return found, [light(one) for one in blocks]


def light(block: Block) -> dict[str, Any]:
    """A block without its histogram."""
    names = ("series", "round", "started_s", "center_us", "p50_us", "p99_us", "n", "error")
    return {name: getattr(block, name) for name in names}


def make_run(state: str = "finished", **more: Any) -> dict[str, Any]:
    """The facts of a run that the page shows above the figures."""
    fields: dict[str, Any] = {
        "id": "r1",
        "title": "nginx on port 80",
        "state": state,
        "stop_reason": "",
        "experiment_id": "7f2a9c",
        "experiment_url": "/experiments/7f2a9c/",
        "url": "/measurements/r1/",
        "created_at": datetime.fromtimestamp(STARTED_AT, UTC),
        "started_at": STARTED_AT,
        "elapsed_s": 3.25,
        "seconds": 10.0,
        "remaining_s": 6.75 if state == "running" else None,
        "probes": ["tcp-rr"],
        "seed": 7,
        "wanted": "running",
    }
    return fields | more


def draw_page(template: str, context: dict[str, Any]) -> Page:
    request = RequestFactory().get("/")
    full = sample.base_context(**context) | {"request": request, "csrf_token": "t0ken"}
    return Page(render_to_string(template, full))


def draw_run(run: dict[str, Any] | None = None, found: tuple[Measurement, list[dict[str, Any]]] | None = None) -> Page:
    run = run or make_run()
    measurement, blocks = found or make_measurement()
    live = run["state"] in {"waiting", "running"}
    context = {
        "run": run,
        "measurement": measurement,
        "blocks": blocks,
        "ws_path": "/ws/measurements/r1/" if live else "",
        "cancel_url": "/measurements/r1/cancel/",
        "column_modes": {},
        "distribution_url": "/api/measurements/r1/distribution",
    }
    return draw_page("measurements/measurement.html", context)


def draw_history(points: list[dict[str, Any]]) -> Page:
    return draw_page("measurements/history.html", {"signature": SIGNATURE, "words": "published port", "points": points})


def hostile_run() -> Page:
    measurement, blocks = make_measurement()
    first, *rest = measurement.series
    bad = replace(
        first, title=HOSTILE, target=HOSTILE, hops=(HOSTILE,), errors=(HOSTILE,), notes=(HOSTILE,), column=HOSTILE
    )
    missing = replace(first, key="x", unavailable=HOSTILE)
    (compared, *others) = measurement.comparisons
    whole = replace(
        measurement,
        series=(bad, missing, *rest),
        comparisons=(replace(compared, cause=HOSTILE, reason=HOSTILE), *others),
        environment=replace(ENVIRONMENT, cpu_model=HOSTILE, mtu={HOSTILE: 1}),
        stop_reason=HOSTILE,
    )
    return draw_run(make_run("failed", title=HOSTILE, stop_reason=HOSTILE), (whole, blocks))


def make_points(count: int) -> list[dict[str, Any]]:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "run_id": f"r{number}",
            "url": f"/measurements/r{number}/",
            "at": first + timedelta(hours=6 * number),
            "p50_us": 20.0 + number % 5,
            "p99_us": 60.0,
            "n": 9000,
            "title": "nginx on port 80",
        }
        for number in range(count)
    ]


def list_page(runs: list[dict[str, Any]], signatures: list[dict[str, Any]]) -> Page:
    return draw_page("measurements/measurements.html", {"runs": runs, "signatures": signatures})


SIGNATURE = "bridge published-proxy tcp-rr 64B closed idle"
SIGNATURES = [
    {"signature": SIGNATURE, "words": "docker-proxy", "runs": 3, "last_p50_us": 48.9, "url": "?signature=bridge"},
    {
        "signature": "host loopback",
        "words": "127.0.0.1 → host",
        "runs": 1,
        "last_p50_us": None,
        "url": "?signature=host",
    },
]
TYPED = {"probe": ["http", "dns"], "seconds": "0", "payload": "x", "rate": "9", "width": "", "name": "a.b"}

PAGES: dict[str, Callable[[], Page]] = {
    "finished": draw_run,
    "running": lambda: draw_run(make_run("running"), make_measurement(stopped=None, count=12)),
    "begun": lambda: draw_run(make_run("running"), make_measurement(stopped=None, count=0)),
    "waiting": lambda: draw_run(
        make_run("waiting", started_at=None, elapsed_s=0.0, experiment_url=None),
        (Measurement(Environment(), (), ()), []),
    ),
    "ending": lambda: draw_run(make_run("waiting", wanted="cancelled"), (Measurement(Environment(), (), ()), [])),
    "cancelled": lambda: draw_run(make_run("cancelled", stop_reason="Somebody ended it."), make_measurement(count=4)),
    "incomplete": lambda: draw_run(make_run("incomplete"), make_measurement(stopped=None)),
    "failed": lambda: draw_run(
        make_run("failed", stop_reason="No path."), make_measurement(count=0, stopped=Stop.FAILED)
    ),
    "three probes": lambda: draw_run(
        found=make_measurement("host", "bridge", probes=(Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR))
    ),
    "hostile": hostile_run,
    "list": lambda: list_page(
        [make_run(state, verdict_line="docker-proxy is the cost.") for state in WORDS["run"]], SIGNATURES
    ),
    "list, nothing": lambda: list_page([], []),
    "history": lambda: draw_history(make_points(40)),
    "history, one": lambda: draw_history(make_points(1)),
    "form, refused": lambda: draw_page(
        "measurements/measure.html", {"problems": ("No.",), "values": TYPED, "experiment_url": "/experiments/7f2a9c/"}
    ),
}  # fmt: skip
