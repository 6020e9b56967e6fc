"""/metrics: access, values, and that dashboards, alerts and documents name existing metrics."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from prometheus_client.parser import text_string_to_metric_families

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import Phase
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.web.experiments.hub import hub
from dashboard.web.http.browser_sessions import SessionStore
from dashboard.web.http.database import to_db_thread
from dashboard.web.training.roles import TOKENS_KEY
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.asgi_client import NOBODY, ORIGIN, Person, cookie_name, http, person, websocket
from tests.web.own_host import lab_here

pytestmark = pytest.mark.django_db(transaction=True)
DOCS = Path(__file__).resolve().parents[3] / "docs"
TOKEN = "t" * 32
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def participant_browser() -> Person:
    """A browser with the token of a participant."""
    session = SessionStore()
    session[TOKENS_KEY] = {"aaaaaaaaaa": "t" * 22}
    session.create()
    return Person({cookie_name(): session.session_key or ""})


async def samples(who: Person) -> Samples:
    """Every sample by name and labels."""
    answer = await http("GET", "/metrics", who=who)
    assert answer.status == 200, answer.text
    assert answer["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def metric_names(text: str) -> set[str]:
    """The names of metrics in queries."""
    return set(re.findall(r"\b(?:netmodes|process)_[a-z_]+\b", text)) - {"netmodes_build_info"}


def queries(value: object) -> Iterator[str]:
    """The queries of a Grafana dashboard."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"expr", "query"} and isinstance(inner, str):
                yield inner
            else:
                yield from queries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from queries(inner)


async def test_the_token_or_a_session_is_required() -> None:
    wrong = (("authorization", f"Bearer {'x' * 32}"),)
    right = (("authorization", f"Bearer {TOKEN}"),)
    none = await http("GET", "/metrics")
    assert (none.status, none["www-authenticate"]) == (401, 'Bearer realm="netmodes"')
    assert "NETMODES_METRICS_TOKEN" in none.text
    assert (await http("GET", "/metrics", headers=(("authorization", "Bearer "),))).status == 401, (
        "an empty token is refused"
    )
    with override_settings(METRICS_TOKEN=TOKEN):
        assert (await http("GET", "/metrics", headers=wrong)).status == 401
        assert (await http("GET", "/metrics", headers=(("authorization", "Bearer ü"),))).status == 401
        assert (await http("GET", "/metrics", headers=right)).status == 200
        assert (await http("GET", "/", headers=right)).status == 401, "the token opens nothing else"
    assert (await http("GET", "/metrics", who=await person())).status == 200
    assert (await http("POST", "/metrics", who=await person(), token=True)).status == 405
    assert (await samples(await person()))["netmodes_engine_up", ()] == 0, "also without a lab"


async def test_a_launch_and_a_browser_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await person()
    launched = ("netmodes_launch_seconds_count", (("mode", "none"), ("outcome", "running")))
    written, waiting = ("netmodes_journal_entries_total", ()), ("netmodes_journal_entries_waiting", ())
    page = (("page", "experiment"),)
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as harness:
        before = await samples(me)
        identity = await harness.running("none")
        async with websocket(f"/ws/experiments/{identity}/", who=me, headers=(("origin", ORIGIN),)) as socket:
            await socket.message()
            during = await samples(me)
            assert during[launched] == before.get(launched, 0) + 1
            assert during["netmodes_browsers", page] == before["netmodes_browsers", page] + 1
            delivered = "netmodes_delivered_bytes_total", page
            assert during[delivered] > before[delivered] + 1000
            assert during["netmodes_experiments", (("phase", Phase.RUNNING),)] == 1
            assert during["netmodes_engine_up", ()] == 1
            assert during["netmodes_part_ready", (("part", "engine"),)] == 1
            assert during["netmodes_database_size_bytes", ()] > 50_000

            async def all_entries_are_written_and_counted() -> bool:
                now, count = await samples(me), len(await harness.entries(identity))
                return (now[written], now[waiting]) == (before[written] + count, before[waiting])

            await eventually(all_entries_are_written_and_counted)
        harness.context.engine.lose("gone")  # type: ignore[attr-defined]

        async def is_down() -> bool:
            return (await samples(me))["netmodes_engine_up", ()] == 0

        await eventually(is_down)
        harness.context.engine.come_back()  # type: ignore[attr-defined]


async def test_the_delay_of_kernel_changes_is_measured_until_browsers_have_them() -> None:
    me = await person()
    identity = await to_db_thread(experiment_store.create_experiment, make_spec("none"))
    before = await samples(me)
    async with websocket(f"/ws/experiments/{identity}/", who=me, headers=(("origin", ORIGIN),)) as socket:
        await socket.message()
        causes = (Cause(Source.KERNEL, "link"), Cause(Source.PERSON, "stop"))
        found = [Entry(number, time.time() - 0.2, cause, Facts(), "said") for number, cause in enumerate(causes, 1)]
        await to_db_thread(journal_store.append, identity, found)
        hub.wake(identity)
        assert (await socket.message())["seq"] == 2
        after = await samples(me)
    name = "netmodes_watch_lag_seconds"
    assert after[f"{name}_count", ()] == before[f"{name}_count", ()] + 1, "user actions are not measured"
    assert after[f"{name}_sum", ()] - before[f"{name}_sum", ()] >= 0.2
    page = (("page", "experiment"),)
    assert after["netmodes_patches_total", page] == before["netmodes_patches_total", page] + 1


async def test_buckets_are_cumulative_and_the_last_one_counts_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as harness:
        await harness.running("none")
        found = await samples(await person())
    name = "netmodes_database_call_seconds"
    buckets = {dict(labels)["le"]: value for (key, labels), value in found.items() if key == f"{name}_bucket"}
    values = list(buckets.values())
    assert values == sorted(values)
    assert buckets["+Inf"] == found[f"{name}_count", ()] > 0
    assert found[f"{name}_sum", ()] > 0


async def test_dashboard_and_alerts_use_existing_metrics_and_all_metrics_are_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as harness:
        await harness.running("none")
        there = {name for name, _ in await samples(await person())}
    drawn = metric_names("\n".join(queries(json.loads((DOCS / "grafana.json").read_text()))))
    alarmed = metric_names(
        "\n".join(re.findall(r"expr: (.*?)\n +(?:for|labels):", (DOCS / "alerts.yml").read_text(), re.DOTALL))
    )
    assert len(drawn) > 20
    assert len(alarmed) >= 9
    assert drawn - there == set()
    assert alarmed - there == set()
    explained = metric_names((DOCS / "operating.md").read_text())
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in there if name.startswith("netmodes_")}
    assert families - explained - {"netmodes_build_info"} == set()


async def test_a_participant_is_refused_with_the_reason() -> None:
    participant = await to_db_thread(participant_browser)
    answer = await http("GET", "/metrics", who=participant)
    assert answer.status == 403
    assert "no access to metrics" in answer.text
    assert (await http("GET", "/metrics", who=NOBODY)).status == 401
