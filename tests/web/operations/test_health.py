"""/healthz and /readyz: an engine that stops, hangs and returns; a lab without a task."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dashboard import __version__
from dashboard.asgi import application
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import HeartbeatMessage, LabFacts, Role
from dashboard.core.operations.heartbeat import PASS_OVERDUE_S, Distribution, Heartbeat, LabMetrics, LabStatus
from dashboard.core.operations.machines import SERVER
from dashboard.lab.engine import events
from dashboard.lab.remote.nats_connection import Message, NatsConnection
from dashboard.store.operations.database_clock import shared_clock
from dashboard.web.http.asgi_handler import RequestHandler
from dashboard.web.operations.peer_sync import peer_sync
from dashboard.web.operations.remote_lab import RemoteLabs
from dashboard.web.service import service
from dashboard.web.training.hub import hub as sessions
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually
from tests.web.asgi_client import Answer, http, is_strict, person
from tests.web.own_host import lab_here

pytestmark = pytest.mark.django_db(transaction=True)
AS_JSON = (("accept", "application/json"),)


async def ready() -> bool:
    return (await http("GET", "/readyz")).status == 200


async def missing() -> Answer | None:
    answer = await http("GET", "/readyz", headers=AS_JSON)
    return answer if answer.status == 503 else None


async def badge() -> str:
    """The badge in the header of a page."""
    page = (await http("GET", "/measurements/", who=await person())).text
    found = re.search(r'data-slot="engine-text">(.*?)</span>', page, re.DOTALL)
    return found[1].strip() if found else ""


async def test_an_engine_that_stops_is_missing_until_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = FakeEngine()
    async with lab_here(engine, tmp_path, monkeypatch):
        assert (await http("GET", "/readyz")).text == "ready\n"
        assert (await http("GET", "/readyz", headers=AS_JSON)).json == {"ready": True, "missing": []}
        engine.lose("The Docker Engine at unix:///secret/docker.sock is gone.")
        (item,) = (await eventually(missing)).json["missing"]
        assert (item["part"], item["reason"]) == ("engine", "The Docker Engine does not answer.")
        assert abs(datetime.fromisoformat(item["since"]) - datetime.now(UTC)) < timedelta(seconds=30)
        assert "secret" not in (await http("GET", "/readyz")).text, "the answer is public"
        assert "Engine 26.1.5 does not answer" in await badge()
        assert (await http("GET", "/healthz")).status == 200
        assert not [record for record in caplog.records if record.name == "django.request"], (
            "health checks are not logged"
        )
        engine.come_back()
        await eventually(ready)
        assert "does not answer" not in await badge()


async def test_an_engine_that_hangs_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 0.02)
    engine = FakeEngine()
    async with lab_here(engine, tmp_path, monkeypatch):
        assert await ready()
        engine.away = "The Docker Engine did not answer within 5 s: it hangs."
        assert [item["part"] for item in (await eventually(missing)).json["missing"]] == ["engine"]
        engine.away = ""
        await eventually(ready)


async def test_a_lab_with_an_ended_task_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as harness:
        task = next(task for task in harness.lab._loops if task.get_name() == "lab-passes")
        task.cancel()
        await asyncio.wait([task])
        answer = await http("GET", "/readyz")
        assert (answer.status, answer.text) == (
            503,
            "missing: lab\nA task of the lab ended unexpectedly: lab-passes.\n",
        )
        assert "Lab unavailable" in await badge()


@pytest.mark.parametrize("wrong_s", [-3600.0, 3600.0])
async def test_a_database_with_another_time_than_this_machine_does_not_make_the_lab_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong_s: float
) -> None:
    monkeypatch.setattr(shared_clock, "_offset", time.time() + wrong_s - time.monotonic())
    async with lab_here(FakeEngine(), tmp_path, monkeypatch):
        assert (await http("GET", "/readyz")).text == "ready\n"


async def test_a_server_follows_the_clock_of_the_database_and_has_its_own_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []
    threads: set[str] = set()

    async def follow(_run: object) -> None:
        ran.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            ran.append("ended")

    async def nothing(*_arguments: object) -> None:
        threads.add(await asyncio.to_thread(lambda: threading.current_thread().name.partition("_")[0]))

    monkeypatch.setattr(shared_clock, "follow", follow)
    for served, names in ((service, ("start", "stop")), (peer_sync, ("start", "close")), (sessions, ("close",))):
        for name in names:
            monkeypatch.setattr(served, name, nothing)
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        return {"type": next(messages)}

    await application({"type": "lifespan"}, receive, nothing)
    await eventually(lambda: ran == ["begun", "ended"])
    assert threads == {"netmodes-pages"}


async def test_healthz_answers_while_django_computes_pages_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_handler: object, _request: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(RequestHandler, "run_get_response", never)
    page = asyncio.create_task(http("GET", "/readyz"))
    answer = await http("GET", "/healthz")
    assert (answer.status, answer.text, answer["cache-control"]) == (200, "ok\n", "no-store")
    assert is_strict(answer)
    assert (await http("HEAD", "/healthz")).status == 200
    refused = await http("POST", "/healthz")
    assert (refused.status, refused["allow"]) == (405, "GET, HEAD")
    assert (await http("GET", "/healthz", host="evil.example")).status == 400
    page.cancel()
    await asyncio.gather(page, return_exceptions=True)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> RemoteLabs:
    """The labs of a web process: two machines have joined and respond."""
    labs = RemoteLabs(NatsConnection("nats://127.0.0.1:1"))
    for name in ("lab2", "lab3"):
        send_heartbeat(labs, name)
    monkeypatch.setattr(service, "labs", labs)
    monkeypatch.setattr(service, "_remote", labs.server)
    monkeypatch.setattr(service, "role", Role.WEB)
    return labs


def send_heartbeat(labs: RemoteLabs, machine: str, facts: LabFacts | None = None) -> None:
    """A message of a lab, which has no engine yet without ``facts``."""
    message = HeartbeatMessage(f"{machine}.a.0", facts or LabFacts(), version=__version__)
    name = None if machine == SERVER else machine
    labs.of(name).on_heartbeat(Message(f"netmodes.web.heartbeat.{machine}", msgspec.json.encode(message)))


async def test_the_labs_of_other_machines_take_the_place_of_an_own_one_that_never_started(
    machines: RemoteLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await http("GET", "/readyz")
    assert (answer.status, answer.text.splitlines()[0]) == (200, "ready")
    assert "No lab of the installation's own machine has started" in answer.text
    assert await badge() == "2 machines"
    monkeypatch.setattr(machines, "_labs", {})
    assert (await http("GET", "/readyz")).status == 503
    assert await badge() == "Lab unavailable"


NOTHING = Distribution((1.0,), (0, 0), 0.0)
METRICS = LabMetrics(0, 0, 0, 0, NOTHING, NOTHING)
HEALTHY = LabStatus("28.5.1", private=False, engine_answers=True, engine_since=0.0, passed_at=0.0)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        ("lab-passes", "A task of the lab ended unexpectedly: lab-passes."),
        ("", "The lab hangs: its latest pass has not ended."),
    ],
)
async def test_other_machines_do_not_hide_an_own_lab_that_fails(machines: RemoteLabs, ended: str, reason: str) -> None:
    now = time.time()
    status = replace(HEALTHY, ended=ended, passed_at=now if ended else now - 2 * PASS_OVERDUE_S)
    send_heartbeat(machines, SERVER, LabFacts(EngineRef("28.5.1", "1.51"), heartbeat=Heartbeat(now, status, METRICS)))
    answer = await http("GET", "/readyz")
    assert answer.status == 503
    assert reason in answer.text
    assert await badge() == "Lab unavailable"


async def test_other_machines_do_not_hide_an_own_lab_without_an_engine(machines: RemoteLabs) -> None:
    send_heartbeat(machines, SERVER)
    assert (await http("GET", "/readyz")).status == 503
