"""Traces over the page and the API; tests/lab/experiments/test_trace.py checks the evidence."""

from __future__ import annotations

import json

import pytest
from channels.db import database_sync_to_async

from dashboard.store import experiments as experiment_store
from tests.support.lab_harness import LabHarness
from tests.support.specs import make_spec
from tests.web.asgi_client import Answer, Person, http

pytestmark = pytest.mark.django_db(transaction=True)
#: Nothing listens there: the request is refused.
KEY = "host/loopback/127.0.0.1:1"


async def by_page(identity: str, who: Person, body: str) -> Answer:
    headers = (("content-type", "application/x-www-form-urlencoded"),)
    return await http(
        "POST", f"/experiments/{identity}/trace/", who=who, headers=headers, body=body.encode(), token=True
    )


async def by_api(identity: str, who: Person, body: object) -> Answer:
    headers = (("content-type", "application/json"),)
    data = json.dumps(body).encode()
    return await http("POST", f"/api/experiments/{identity}/trace", who=who, headers=headers, body=data, token=True)


async def test_a_refused_request_has_only_the_hops_of_its_first_packet(me: Person, lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("host", port=1)
    tried = await http("POST", f"/experiments/{identity}/try/", who=me, token=True)
    assert f'name="way" value="{KEY}"' in tried.text
    page = await by_page(identity, me, f"way={KEY}&beside={KEY}")
    assert page.status == 200
    assert page.text.count("refused the connection") >= 2
    data = await by_api(identity, me, {"way": KEY, "beside": KEY})
    assert data.status == 200
    (trace,) = data.json["traces"]
    assert (trace["key"], trace["client_seen"]) == (KEY, "")
    first = ("links", "rules")
    assert {hop["seen"] for hop in trace["hops"] if hop["kind"] not in first} <= {"not-seen", "unknown"}
    links = next(hop for hop in trace["hops"] if hop["kind"] == "links")
    assert links["seen"] == "unknown" or "NO_SOCKET" in links["reason"]


@pytest.mark.parametrize("way", ["", "host/loopback", "nobody/loopback/127.0.0.1:80", "<script>", "x" * 200])
async def test_an_unknown_path_is_refused_with_the_list_of_paths(me: Person, lab_harness: LabHarness, way: str) -> None:
    identity = await lab_harness.running("host", port=1)
    page = await by_page(identity, me, f"way={way}")
    data = await by_api(identity, me, {"way": way})
    assert (page.status, data.status) == (400, 400)
    assert KEY in page.text
    assert KEY in data.json["detail"]
    assert "<script>" not in page.text.partition("<main")[2].partition("</main")[0]


async def test_an_experiment_that_is_stopped_or_unknown_is_refused(me: Person, lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("host", port=1)
    await lab_harness.stop(identity)
    for answer in (await by_page(identity, me, f"way={KEY}"), await by_api(identity, me, {"way": KEY})):
        assert answer.status == 409
        assert "launch it again" in answer.text
    assert (await by_page("nobody", me, f"way={KEY}")).status == 404
    assert (await by_api("nobody", me, {"way": KEY})).status == 404
    assert (await by_api(identity, me, {})).status in {400, 422}
    assert (await http("GET", f"/experiments/{identity}/trace/", who=me)).status == 405


@pytest.mark.usefixtures("silent_engine")
async def test_without_the_engine_of_a_private_host_a_trace_is_refused_with_a_reason(me: Person) -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", port=1))
    for answer in (await by_page(identity, me, f"way={KEY}"), await by_api(identity, me, {"way": KEY})):
        assert answer.status == 409
        assert "did not answer within 5 s" in answer.text
