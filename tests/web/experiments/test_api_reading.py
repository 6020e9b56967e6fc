"""What the API answers to GET: comparisons, journals, schemas and the doctor, as JSON."""

from __future__ import annotations

import msgspec
import pytest
from channels.db import database_sync_to_async

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import Comparison, EngineRef
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.operations.machines import MachineFacts
from dashboard.models import Experiment
from dashboard.store import journal as journal_store
from dashboard.store import machines
from dashboard.web.experiments.api import MAX_PAGE
from dashboard.web.service import service
from tests.core.sample import make_states
from tests.web.asgi_client import Person, http, post_json
from tests.web.experiments.test_views import make_past

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_comparison_of_a_stopped_experiment_has_the_states_and_rows_before_the_stop(me: Person) -> None:
    url = f"/api/experiments/{await make_past()}"
    found = msgspec.json.decode((await http("GET", f"{url}/comparison", who=me)).body, type=Comparison)
    snapshot = msgspec.json.decode((await http("GET", url, who=me)).body, type=Snapshot)
    assert found.states == make_states()
    assert (found.columns, found.rows) == (snapshot.columns, snapshot.rows)
    end = msgspec.json.decode((await http("GET", f"{url}/comparison?at=3", who=me)).body, type=Comparison)
    assert end.states == {}


@pytest.mark.parametrize(
    ("host", "machine", "version", "name"),
    [("", None, "26.1.5", "lab-1"), ("abc", None, "26.1.5", ""), ("", "attic", "26.1.5", ""), ("", None, "29.0.0", "")],
)
async def test_the_comparison_names_the_engine_on_which_the_experiment_ran(
    me: Person, monkeypatch: pytest.MonkeyPatch, host: str, machine: str | None, version: str, name: str
) -> None:
    identity = await make_past()
    if machine:
        await database_sync_to_async(machines.register)(machine, {}, MachineFacts())
    await Experiment.objects.filter(pk=identity).aupdate(host=host, machine=machine)
    monkeypatch.setattr(type(service), "engine", EngineRef(version, "1.45", "lab-1"))
    answer = await http("GET", f"/api/experiments/{identity}/comparison", who=me)
    engine = msgspec.json.decode(answer.body, type=Comparison).engine
    assert (engine.version, engine.name) == ("26.1.5", name)


@pytest.mark.parametrize(
    "path",
    [
        "/api/experiments/nobody",
        "/api/experiments/nobody/comparison",
        "/api/experiments/nobody/journal",
        "/api/experiments/%00",
        "/api/experiments/..%2f..%2fetc",
        "/api/schemas/comparison/9",
        "/api/nothing",
    ],
)
async def test_an_unknown_object_is_404(me: Person, path: str) -> None:
    assert (await http("GET", path, who=me)).status == 404


@pytest.mark.parametrize("at", ["x", "1.5", "", "1e3", "0x1", "null", "[]"])
async def test_an_entry_that_is_not_a_number_is_refused_with_a_sentence(me: Person, at: str) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    for tail in ("", "/comparison"):
        answer = await http("GET", f"/api/experiments/{identity}{tail}?at={at}", who=me)
        assert answer.status == 422
        assert answer.json["detail"].startswith("at: ")
    answer = await http("GET", f"/api/experiments/{identity}/journal?after={at}", who=me)
    assert answer.status == 422


@pytest.mark.parametrize("at", [-1, 0, 1, 2**31, 2**63, 2**64, 10**30, -(2**63) - 1])
async def test_any_number_is_accepted_as_an_entry(me: Person, at: int) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    for tail in (f"?at={at}", f"/comparison?at={at}", f"/journal?after={at}"):
        assert (await http("GET", f"/api/experiments/{identity}{tail}", who=me)).status in {200, 422}, tail


async def test_the_schema_of_every_shape_is_served(me: Person) -> None:
    for shape in ("comparison/1", "doctor/1"):
        answer = await http("GET", f"/api/schemas/{shape}", who=me)
        assert answer.status == 200
        assert "$defs" in answer.json


async def test_the_openapi_document_lists_every_path_and_its_page_is_local(me: Person) -> None:
    description = (await http("GET", "/api/openapi.json", who=me)).json
    assert "/api/experiments" in description["paths"]
    page = await http("GET", "/api/docs", who=me)
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert f"<code>{method.upper()} {path}</code>" in page.text
            assert operation["operationId"]
    for name in description["components"]["schemas"]:
        assert f'id="schema-{name}"' in page.text


async def test_the_doctor_answers_without_an_engine(me: Person) -> None:
    answer = await http("GET", "/api/doctor", who=me)
    assert answer.status == 200
    assert answer.json["engine"] is None
    assert not any(mode["available"] for mode in answer.json["modes"])


async def test_a_journal_is_read_in_pages(me: Person) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    cause = Cause(Source.LAB, "test")
    entries = [Entry(number, 1000.0, cause, Facts(), "text") for number in range(1, MAX_PAGE + 6)]
    await database_sync_to_async(journal_store.append)(identity, entries)

    async def page(query: str) -> list[int]:
        answer = await http("GET", f"/api/experiments/{identity}/journal?{query}", who=me)
        return [entry["seq"] for entry in answer.json]

    first = await page("after=0")
    assert first == list(range(1, MAX_PAGE + 1))
    assert await page(f"after={first[-1]}") == list(range(MAX_PAGE + 1, MAX_PAGE + 6))
    assert await page(f"after={MAX_PAGE + 5}") == []
    assert await page("after=2&limit=3") == [3, 4, 5]
    assert len(await page("limit=100000")) == MAX_PAGE
    assert len(await page("limit=-1")) == 1
