"""Commands that are refused: on a disk that is almost full, and on a machine that takes no new work."""

from __future__ import annotations

import pytest

from dashboard.core.operations.machines import MachineFacts
from dashboard.core.operations.storage import DiskUsage
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.operations import storage
from dashboard.web.http.database import to_db_thread
from tests.support.specs import make_spec
from tests.web.asgi_client import Person, http, post_json

pytestmark = pytest.mark.django_db(transaction=True)
FORM = (("content-type", "application/x-www-form-urlencoded"),)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "disk_usage", lambda: DiskUsage(95_000_000, 5_000_000))


async def test_a_launch_is_refused_with_the_reason_and_what_to_do(full: None, me: Person) -> None:
    body = b"image=nginx&port=80&mode=none&anyway=1&title=My+long+title"
    answer = await http("POST", "/experiments/", who=me, headers=FORM, body=body, token=True)
    assert answer.status == 507
    assert "95% of the disk of the data folder is used; 5.0 MB is free." in answer.text
    assert "running experiments continue" in answer.text
    assert 'value="My long title"' in answer.text, "what was typed is kept"
    assert await to_db_thread(Experiment.objects.count) == 0


async def test_the_api_refuses_in_json(full: None, me: Person) -> None:
    answer = await post_json("/api/experiments", me, {"modes": ["none"]})
    assert answer.status == 507
    assert answer.json["detail"].startswith("95% of the disk")


async def test_other_pages_and_errors_are_as_before(full: None, me: Person) -> None:
    assert (await http("GET", "/", who=me)).status == 200
    assert (await http("GET", "/experiments/nobody/", who=me)).status == 404


async def test_nothing_starts_on_a_drained_machine(me: Person) -> None:
    def drained() -> str:
        machines.register("lab2", {}, MachineFacts())
        machines.set_draining("lab2", draining=True)
        return experiment_store.create_experiment(make_spec("none"), machine="lab2")

    experiment = await to_db_thread(drained)
    requests = {f"/experiments/{experiment}/again/": b"anyway=1", f"/experiments/{experiment}/measure/": b""}
    for path, body in requests.items():
        answer = await http("POST", path, who=me, headers=FORM, body=body, token=True)
        assert answer.status == 409, path
        assert "The machine “lab2” is drained: nothing new starts on it." in answer.text
    for path, fields in (
        (f"/api/experiments/{experiment}/again", {}),
        ("/api/measurements", {"experiment": experiment}),
    ):
        answer = await post_json(path, me, fields)
        assert answer.status == 409, path
        assert answer.json["detail"].startswith("The machine “lab2” is drained")
    assert await to_db_thread(MeasurementRun.objects.count) == 0


@pytest.mark.parametrize("path", ["/experiments/", "/lans/create/", "/reports/import/", "/questions/any/run/"])
async def test_the_address_of_a_command_opened_as_a_page_leads_to_the_start_page(me: Person, path: str) -> None:
    answer = await http("GET", path, who=me)
    assert (answer.status, answer["allow"]) == (405, "POST")
    assert "This address is not a page" in answer.text
    assert '<a class="button" href="/">Start page</a>' in answer.text


async def test_a_method_that_the_api_does_not_have_is_refused_without_a_page(me: Person) -> None:
    answer = await http("GET", "/api/experiments/any/stop", who=me)
    assert answer.status == 405
    assert "<html" not in answer.text
