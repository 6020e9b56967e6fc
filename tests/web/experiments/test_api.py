"""Commands of the API: the same rules as on pages, as JSON, and no server error for any input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from channels.db import database_sync_to_async
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard.core.experiments.drafts import ARM_FIELDS, FIELDS
from dashboard.core.experiments.journal import Entry
from dashboard.core.experiments.messages import Comparison, Phase
from dashboard.core.experiments.stream import Snapshot
from dashboard.engine.protocol import EngineUnreachable
from dashboard.models import Arm, Experiment
from dashboard.store import experiments as experiment_store
from dashboard.web.service import service
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.asgi_client import HOST, ORIGIN, Person, http, owner, post_json
from tests.web.training.machine_fakes import join_machines

pytestmark = pytest.mark.django_db(transaction=True)


@database_sync_to_async
def count() -> tuple[int, int]:
    return Experiment.objects.count(), Arm.objects.count()


async def test_an_experiment_can_be_created_and_read(me: Person) -> None:
    made = await post_json("/api/experiments", me, {"modes": ["host", "bridge"], "title": "Two", "port": 81})
    assert made.status == 201
    one = made.json
    assert (one["title"], one["port"], one["modes"], one["phase"]) == ("Two", 81, ["host", "bridge"], "waiting")
    assert await count() == (1, 2)
    listed = (await http("GET", "/api/experiments", who=me)).json
    assert [each["id"] for each in listed] == [one["id"]]
    snapshot = msgspec.json.decode((await http("GET", f"/api/experiments/{one['id']}", who=me)).body, type=Snapshot)
    assert snapshot.experiment.phase is Phase.WAITING
    assert [column.key for column in snapshot.columns] == ["machine", "host", "bridge"]
    found = await http("GET", f"/api/experiments/{one['id']}/comparison", who=me)
    assert msgspec.json.decode(found.body, type=Comparison).schema == "comparison/1"
    journal = await http("GET", f"/api/experiments/{one['id']}/journal", who=me)
    assert msgspec.json.decode(journal.body, type=tuple[Entry, ...]) == ()


async def test_without_a_lab_on_the_own_machine_an_experiment_is_created_on_another(
    me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await database_sync_to_async(join_machines)(monkeypatch, "lab2")
    there.has_own_lab = False
    made = await post_json("/api/experiments", me, {"modes": ["host"]})
    assert (await database_sync_to_async(load_record)(made.json["id"])).machine == "lab2"


async def test_an_experiment_is_renamed(me: Person) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    url = f"/api/experiments/{identity}/rename"
    assert (await post_json(url, me, {"title": " Shop "})).json["title"] == "Shop"
    assert (await http("GET", "/api/experiments", who=me)).json[0]["title"] == "Shop"
    assert (await http("GET", f"/api/experiments/{identity}", who=me)).json["experiment"]["title"] == "Shop"
    assert (await post_json(url, me, {})).json["title"] == "nginx on port 80"
    assert (await post_json(url, me, {"title": "a\0b"})).status == 400
    assert (await post_json(url, me, {"title": "x" * 201})).status == 422
    assert (await post_json("/api/experiments/nothing/rename", me, {"title": "x"})).status == 404


async def test_a_request_writes_the_wanted_state_and_nothing_else(me: Person) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": "host bridge"})).json["id"]
    for action, wanted in (("stop", "stopped"), ("again", "running"), ("remove", "removed")):
        answer = await post_json(f"/api/experiments/{identity}/{action}", me, {})
        assert (answer.status, answer.json) == (202, {"wanted": wanted})
    for action in ("stop", "again", "remove", "try"):
        assert (await post_json(f"/api/experiments/{identity}/{action}", me, {})).status == 404
    assert (await http("GET", f"/api/experiments/{identity}", who=me)).status == 404
    assert (await http("GET", "/api/experiments", who=me)).json == []


async def test_without_a_lab_try_is_refused_with_the_reason(me: Person) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    answer = await post_json(f"/api/experiments/{identity}/try", me, {})
    assert answer.status == 409
    assert "Engine" in answer.json["detail"]


async def test_without_the_engine_of_a_private_host_try_is_refused_with_the_reason(
    me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_about(*_arguments: object) -> None:
        raise EngineUnreachable("The engine did not answer within 5 s.")

    monkeypatch.setattr(service, "ask_about", ask_about)
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    answer = await post_json(f"/api/experiments/{identity}/try", me, {})
    assert (answer.status, answer.json["detail"]) == (409, "The engine did not answer within 5 s.")


@pytest.mark.parametrize("action", ["stop", "again", "remove", "try"])
async def test_an_action_on_an_unknown_experiment_is_404(me: Person, action: str) -> None:
    assert (await post_json(f"/api/experiments/nobody/{action}", me, {})).status == 404


async def test_an_unknown_action_is_named_with_the_known_ones(me: Person) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    answer = await post_json(f"/api/experiments/{identity}/explode", me, {})
    assert answer.status == 400
    assert "explode" in answer.json["detail"]
    assert "stop, again, remove or try" in answer.json["detail"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_only_json_is_taken_even_with_the_token(me: Person, kind: str) -> None:
    body = json.dumps({"modes": ["host"]}).encode()
    headers = (("content-type", kind),) if kind else ()
    for path in ("/api/experiments", "/api/experiments/nobody/stop"):
        answer = await http("POST", path, who=me, headers=headers, body=body, token=True)
        assert answer.status == 415, path
        assert "application/json" in answer.json["detail"]
    assert await count() == (0, 0)


async def test_a_form_that_smuggles_the_token_in_its_body_is_not_json(me: Person) -> None:
    body = f"csrfmiddlewaretoken={me.token}&modes=host".encode()
    headers = (("content-type", "application/x-www-form-urlencoded"), ("origin", ORIGIN))
    assert (await http("POST", "/api/experiments", who=me, headers=headers, body=body)).status == 415
    assert await count() == (0, 0)


async def test_a_command_without_a_body_needs_no_content_type(me: Person) -> None:
    identity = (await post_json("/api/experiments", me, {"modes": ["host"]})).json["id"]
    assert (await http("POST", f"/api/experiments/{identity}/stop", who=me, token=True)).status == 202


async def test_without_the_token_the_refusal_names_the_header_to_send(me: Person) -> None:
    answer = await post_json("/api/experiments", me, {"modes": ["host"]}, token=False)
    assert answer.status == 403
    assert "X-CSRFToken" in answer.json["detail"]
    assert await count() == (0, 0)


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "mode"),
    ({"modes": []}, "mode"),
    ({"modes": ["host"], "port": 0}, "1 to 65535"),
    ({"modes": ["host"], "port": 65536}, "1 to 65535"),
    ({"modes": ["host"], "port": -1}, "1 to 65535"),
    ({"modes": ["host"], "port": "eighty"}, "eighty"),
    ({"modes": ["host"], "port": 80.5}, "80.5"),
    ({"modes": ["host"], "port": True}, "True"),
    ({"modes": ["host"], "port": [80]}, "port"),
    ({"modes": ["hots"]}, "hots"),
    ({"modes": ["bridge:1"]}, "container"),
    ({"modes": 7}, "list of texts"),
    ({"modes": {"host": 1}}, "list of texts"),
    ({"modes": ["bridge"] * 51}, "at most 50"),
    ({"modes": ["container:1"]}, "own namespace"),
    ({"modes": ["container:1", "host"]}, "own namespace"),
    ({"modes": ["container:9"]}, "No arm"),
    ({"modes": ["host", "container:" + "9" * 5000]}, "No arm"),
    ({"modes": ["host", "container:1", "container:2"]}, "also shares a namespace"),
    ({"modes": ["host"], "image": "NGINX/"}, "name of an image"),
    ({"modes": ["host"], "image": "a" * 600}, "name of an image"),
    ({"modes": ["host"], "image": ["nginx"]}, "text"),
    ({"modes": ["host"], "image": "nginx\x00"}, "name of an image"),
    ({"modes": ["host"], "publish": "8080:80:90:100"}, "IP address"),
    ({"modes": ["host"], "publish": "70000:80"}, "1 to 65535"),
    ({"modes": ["host"], "publish": "80/icmp"}, "tcp, udp or sctp"),
    ({"modes": ["host"], "names": ["a b"]}, "not a host name"),
    ({"modes": ["host"], "names": ["x" * 300]}, "not a host name"),
    ({"modes": ["host"], "names": ["a.example"] * 101}, "at most 100"),
    ({"modes": ["host"], "title": ["x"]}, "text"),
    ({"modes": ["host"], "title": "half \ud800"}, "title"),
    ({"modes": ["host"], "surprise": 1}, "Unknown field"),
    ({"arms": "host"}, "list of objects"),
    ({"arms": [1]}, "list of objects"),
    ({"arms": [{}]}, "mode"),
    ({"arms": [{"mode": "host", "key": "a/b"}]}, "not a valid name"),
    ({"arms": [{"mode": "host", "key": "a"}, {"mode": "bridge", "key": "a"}]}, "Two arms"),
    ({"arms": [{"mode": "host", "target": "x"}, {"mode": "container", "target": "y"}]}, "No arm"),
    ({"arms": [{"mode": "host", "colour": "red"}]}, "no field “colour”"),
    ({"arms": [{"mode": "host", "publish_all": [1]}]}, "true or false"),
    ({"arms": [{"mode": "host", "environment": ["A"]}]}, "NAME=value"),
    ({"arms": [{"mode": "host", "environment": {"A": "half \udfff"}}]}, "environment"),
    ({"arms": [{"mode": "host", "environment": 5}]}, "list of texts"),
    ({"arms": [{"mode": "host", "command": "sh -c 'x"}]}, "quotation mark"),
    ({"arms": [{"mode": "host", "command": ["a\x00b"]}]}, "NUL"),
    ({"arms": [{"mode": "host", "command": ["half \ud800"]}]}, "command"),
    ({"arms": [{"mode": "host", "command": ["x" * 5000]}]}, "longer than"),
    ({"arms": [{"mode": "host", "hostname": "-x-"}]}, "host name"),
    ({"arms": [{"mode": "host", "dns": "localhost"}]}, "IP address"),
    ({"arms": [{"mode": "host", "add_host": "name"}]}, "name:address"),
    ({"arms": [{"mode": "host", "sysctls": "kernel"}]}, "sysctl"),
    ({"arms": [{"mode": "host", "user": "a b"}]}, "user"),
)


@pytest.mark.parametrize(("body", "fragment"), BAD, ids=[f"{number}" for number in range(len(BAD))])
async def test_invalid_specifications_are_refused_with_sentences(me: Person, body: Any, fragment: str) -> None:
    answer = await post_json("/api/experiments", me, body)
    assert answer.status == 400
    sentences = [problem["sentence"] for problem in answer.json["problems"]]
    assert any(fragment in sentence for sentence in sentences), sentences
    assert answer.json["detail"] == sentences[0]
    assert all(problem["field"] for problem in answer.json["problems"])
    assert await count() == (0, 0)


MALFORMED = (
    b"",
    b"{",
    b"nonsense",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'"host"',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"modes": ["host"], "port": ' + b"9" * 5000 + b"}",
    b'{"modes": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"modes": ["host"], "port": NaN}',
    b'{"modes": ["host"], "port": 1e999}',
    b'{"modes": ["host"]',
)


@pytest.mark.parametrize("body", MALFORMED, ids=[repr(body[:24]) for body in MALFORMED])
async def test_a_body_that_is_not_a_json_object_is_refused(me: Person, body: bytes) -> None:
    headers = (("content-type", "application/json"),)
    answer = await http("POST", "/api/experiments", who=me, headers=headers, body=body, token=True)
    assert 400 <= answer.status < 500
    assert answer.json["detail"]
    assert await count() == (0, 0)


@pytest.mark.parametrize("depth", [10, 100, 250, 300, 1000, 3000, 10_000, 30_000])
async def test_deeply_nested_values_are_not_a_server_error(me: Person, depth: int) -> None:
    headers = (("content-type", "application/json"),)
    for front, back in ((b"[", b"]"), (b'{"mode":', b"}")):
        deep = front * depth + b'"host"' + back * depth
        for field in (b"modes", b"arms", b"title", b"publish", b"surprise"):
            body = b'{"modes":["none"],"' + field + b'":' + deep + b"}"
            answer = await http("POST", "/api/experiments", who=me, headers=headers, body=body, token=True)
            assert 400 <= answer.status < 500, (field, answer.status)
    assert await count() == (0, 0)


async def test_a_body_over_the_limit_of_a_form_is_refused(me: Person) -> None:
    answer = await post_json("/api/experiments", me, {"modes": ["host"], "title": "x" * 2_000_000})
    assert 400 <= answer.status < 500
    assert await count() == (0, 0)


# Whatever is sent.

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.text(alphabet=st.characters(codec=None), max_size=5)
    | st.sampled_from(["host", "bridge", "container:1", "container", "80", "8080:80", "nginx", "\ud800", "a=b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
arms = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(sorted(ARM_FIELDS), anything) | {"surprise": anything}
) | st.fixed_dictionaries(
    {"mode": st.sampled_from(["host", "bridge", "container:1", "user-bridge", "none", "container:2"])},
    optional=dict.fromkeys(sorted(ARM_FIELDS - {"mode"}), anything),
)
bodies = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(sorted(FIELDS), anything) | {"arms": st.lists(arms, max_size=4) | anything}
)


@pytest.fixture
def client() -> Iterator[Client]:
    """A signed-in client. Django's test client is quicker, and the guards are tested elsewhere."""
    made = Client(HTTP_HOST=HOST)
    made.force_login(owner())
    yield made
    made.logout()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies | anything)
@example(body={"arms": [{"mode": "host", "publish_all": {}}]})
@example(body={"modes": ["host"], "title": "\x00"})
def test_no_body_is_a_server_error(client: Client, body: object) -> None:
    before = Experiment.objects.count()
    answer = client.post("/api/experiments", json.dumps(body), content_type="application/json")
    assert answer.status_code in {201, 400, 422}
    if answer.status_code == 201:
        identity = answer.json()["id"]
        assert experiment_store.load(identity) is not None
        assert client.get(f"/api/experiments/{identity}").status_code == 200
        assert client.get(f"/experiments/{identity}/").status_code == 200
        assert client.get("/").status_code == 200
        Experiment.objects.all().delete()
    else:
        assert answer.json()["detail"]
        assert Experiment.objects.count() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_bytes_are_a_server_error(client: Client, body: bytes) -> None:
    answer = client.post("/api/experiments", body, content_type="application/json")
    assert answer.status_code in {400, 422}


async def test_any_valid_experiment_of_the_builder_is_accepted_by_the_api(me: Person) -> None:
    made = (await post_json("/api/experiments", me, {"modes": ["host", "container:1"]})).json["id"]
    record = await database_sync_to_async(load_record)(made)
    assert record.spec == make_spec("host", "container:1")
