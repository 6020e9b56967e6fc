"""/metrics: who may read it, what stands in it, and that whatever is drawn or alarmed on is there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.test import override_settings
from prometheus_client.parser import text_string_to_metric_families

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import Phase
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.hub import hub
from dashboard.web.http.browser_sessions import SessionStore
from dashboard.web.training.roles import KEY
from tests.fakes import FakeEngine
from tests.polling import eventually
from tests.specs import make_spec
from tests.web.asgi_client import NOBODY, ORIGIN, Person, cookie_name, http, person, websocket
from tests.web.own_host import lab_here

pytestmark = pytest.mark.django_db(transaction=True)
DOCS = Path(__file__).resolve().parents[3] / "docs"
TOKEN = "t" * 32
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def admitted_rows() -> Person:
    """A browser with a participant in some class."""
    session = SessionStore()
    session[KEY] = {"aaaaaaaaaa": "t" * 22}
    session.create()
    return Person({cookie_name(): session.session_key or ""})


async def figures(who: Person) -> Figures:
    """Every sample by name and labels."""
    answer = await http("GET", "/metrics", who=who)
    assert answer.status == 200, answer.text
    assert answer["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def asked_for(text: str) -> set[str]:
    """The names of metrics in queries."""
    return set(re.findall(r"\b(?:netmodes|process)_[a-z_]+\b", text)) - {"netmodes_build_info"}


def queries(value: object) -> Iterator[str]:
    """Whatever Prometheus is asked for, wherever in the dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"expr", "query"} and isinstance(inner, str):
                yield inner
            else:
                yield from queries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from queries(inner)


async def test_only_the_token_or_a_session_opens_it() -> None:
    wrong = (("authorization", f"Bearer {'x' * 32}"),)
    right = (("authorization", f"Bearer {TOKEN}"),)
    none = await http("GET", "/metrics")
    assert (none.status, none["www-authenticate"]) == (401, 'Bearer realm="netmodes"')
    assert "NETMODES_METRICS_TOKEN" in none.text
    assert (await http("GET", "/metrics", headers=(("authorization", "Bearer "),))).status == 401, "no token is no key"
    with override_settings(METRICS_TOKEN=TOKEN):
        assert (await http("GET", "/metrics", headers=wrong)).status == 401
        assert (await http("GET", "/metrics", headers=(("authorization", "Bearer ü"),))).status == 401
        assert (await http("GET", "/metrics", headers=right)).status == 200
        assert (await http("GET", "/", headers=right)).status == 401, "it opens nothing else"
    assert (await http("GET", "/metrics", who=await person())).status == 200
    assert (await http("POST", "/metrics", who=await person(), token=True)).status == 405
    assert (await figures(await person()))["netmodes_engine_up", ()] == 0, "without a lab too"


async def test_what_a_launch_and_a_browser_leave_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await person()
    launched = ("netmodes_launch_seconds_count", (("mode", "none"), ("outcome", "running")))
    written = ("netmodes_journal_entries_total", ())
    page = (("page", "experiment"),)
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as bench:
        before = await figures(me)
        identity = await bench.running("none")
        async with websocket(f"/ws/experiments/{identity}/", who=me, headers=(("origin", ORIGIN),)) as socket:
            await socket.message()
            during = await figures(me)
            entries = len(await bench.entries(identity))
            assert during[launched] == before.get(launched, 0) + 1
            assert during[written] == before[written] + entries
            assert during["netmodes_journal_entries_waiting", ()] == 0
            assert during["netmodes_browsers", page] == before["netmodes_browsers", page] + 1
            delivered = "netmodes_delivered_bytes_total", page
            assert during[delivered] > before[delivered] + 1000
            assert during["netmodes_experiments", (("phase", Phase.RUNNING),)] == 1
            assert during["netmodes_engine_up", ()] == 1
            assert during["netmodes_part_ready", (("part", "engine"),)] == 1
            assert during["netmodes_database_size_bytes", ()] > 50_000
        bench.context.engine.lose("gone")  # type: ignore[attr-defined]

        async def is_down() -> bool:
            return (await figures(me))["netmodes_engine_up", ()] == 0

        await eventually(is_down)
        bench.context.engine.come_back()  # type: ignore[attr-defined]


async def test_a_change_of_the_kernel_is_timed_until_it_is_written_to_browsers() -> None:
    me = await person()
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("none"))
    before = await figures(me)
    async with websocket(f"/ws/experiments/{identity}/", who=me, headers=(("origin", ORIGIN),)) as socket:
        await socket.message()
        causes = (Cause(Source.KERNEL, "link"), Cause(Source.PERSON, "stop"))
        found = [Entry(number, time.time() - 0.2, cause, Facts(), "said") for number, cause in enumerate(causes, 1)]
        await database_sync_to_async(experiment_store.append)(identity, found)
        hub.wake(identity)
        assert (await socket.message())["seq"] == 2
        after = await figures(me)
    name = "netmodes_watch_lag_seconds"
    assert after[f"{name}_count", ()] == before[f"{name}_count", ()] + 1, "what people do is not timed"
    assert after[f"{name}_sum", ()] - before[f"{name}_sum", ()] >= 0.2
    page = (("page", "experiment"),)
    assert after["netmodes_patches_total", page] == before["netmodes_patches_total", page] + 1


async def test_buckets_are_cumulative_and_end_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as bench:
        await bench.running("none")
        found = await figures(await person())
    name = "netmodes_database_call_seconds"
    buckets = {dict(labels)["le"]: value for (key, labels), value in found.items() if key == f"{name}_bucket"}
    values = list(buckets.values())
    assert values == sorted(values)
    assert buckets["+Inf"] == found[f"{name}_count", ()] > 0
    assert found[f"{name}_sum", ()] > 0


async def test_whatever_is_drawn_or_alarmed_on_is_there_and_whatever_is_there_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as bench:
        await bench.running("none")
        there = {name for name, _ in await figures(await person())}
    drawn = asked_for("\n".join(queries(json.loads((DOCS / "grafana.json").read_text()))))
    alarmed = asked_for(
        "\n".join(re.findall(r"expr: (.*?)\n +(?:for|labels):", (DOCS / "alerts.yml").read_text(), re.DOTALL))
    )
    assert len(drawn) > 20
    assert len(alarmed) >= 9
    assert drawn - there == set()
    assert alarmed - there == set()
    explained = asked_for((DOCS / "operating.md").read_text())
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in there if name.startswith("netmodes_")}
    assert families - explained - {"netmodes_build_info"} == set()


async def test_a_participant_of_a_class_is_refused_with_a_sentence() -> None:
    participant = await database_sync_to_async(admitted_rows)()
    answer = await http("GET", "/metrics", who=participant)
    assert answer.status == 403
    assert "for who runs it" in answer.text
    assert (await http("GET", "/metrics", who=NOBODY)).status == 401
