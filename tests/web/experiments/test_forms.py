"""The launch form: nothing that was typed is lost, everything that is wrong has its sentence."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.core.experiments.drafts import ARM_FIELDS, parse_draft
from dashboard.models import Arm, Experiment
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.forms import EXPERIMENT_FIELDS, draft_of, typed_values
from tests.web.asgi_client import HOST, owner
from tests.web.markup import forbidden_in


@pytest.fixture
def client(transactional_db: None) -> Iterator[Client]:
    made = Client(HTTP_HOST=HOST)
    made.force_login(owner())
    yield made
    made.logout()


def query(**fields: str | list[str]) -> QueryDict:
    found = QueryDict(mutable=True)
    for name, value in fields.items():
        found.setlist(name.replace("__", "-"), value if isinstance(value, list) else [value])
    return found


def test_a_form_is_read_as_the_api_would_read_it() -> None:
    post = query(image="nginx", port="81", publish="8080:80", names="db.example", mode=["host", "bridge"])
    post["arm-2-mode"], post["arm-2-command"] = "none", "sleep 1000"
    post["arm-1-mode"], post["arm-1-environment"] = "bridge", "A=1\nB=2"
    draft = parse_draft(draft_of(typed_values(post)))
    assert draft.problems == ()
    assert [arm.key for arm in draft.spec.arms] == ["host", "bridge", "bridge-2", "none"]
    assert draft.spec.arms[2].environment == {"A": "1", "B": "2"}
    assert draft.spec.arms[3].command == ("sleep", "1000")
    assert draft.spec.port == 81


def test_arms_without_a_mode_are_not_used() -> None:
    post = query(mode="host", arm__1__mode="", arm__2__mode="  ", arm__1__command="")
    assert [arm.key for arm in parse_draft(draft_of(typed_values(post))).spec.arms] == ["host"]


def test_an_arm_with_options_and_no_mode_is_said_at_its_mode_and_nothing_is_launched(client: Client) -> None:
    typed = {"mode": "host", "image": "nginx", "port": "80", "arm-1-mode": "", "arm-2-mode": "", "arm-2-hostname": "w"}
    answer = client.post("/experiments/", typed)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "Arm 2 has options and no mode: choose one, or empty it." in page
    assert '<a href="#arm-2-mode">' in page
    assert 'value="w"' in page
    assert Experiment.objects.count() == 0


def test_fields_that_the_form_does_not_have_are_not_read() -> None:
    post = query(mode="host", surprise="1", csrfmiddlewaretoken="x")
    assert set(draft_of(typed_values(post))) == {*EXPERIMENT_FIELDS, "modes", "arms"}


@pytest.mark.parametrize("name", ["arm-1-", "arm--mode", "arm-x-mode", "arm-99999-mode", "arm-1-MODE", "xarm-1-mode"])
def test_a_name_that_is_no_field_of_an_arm_is_passed_over(name: str) -> None:
    assert typed_values(query(**{name: "host"}))["arms"] == []


ARM = "arm-1-"
BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"mode": []}, "Choose at least one mode"),
    ({"mode": ["hots"]}, "hots"),
    ({"port": "0"}, "1 to 65535"),
    ({"port": "65536"}, "1 to 65535"),
    ({"port": "eighty"}, "eighty"),
    ({"port": "\uff18\uff10"}, "\uff18\uff10"),
    ({"port": "80; rm"}, "80; rm"),
    ({"image": "no/such/"}, "name of an image"),
    ({"image": "<script>alert(1)</script>"}, "name of an image"),
    ({"publish": "eighty:80"}, "eighty"),
    ({"names": "a/b"}, "a/b"),
    ({ARM + "mode": "container", "mode": []}, "own namespace"),
    ({ARM + "mode": "container", ARM + "target": "nobody"}, "nobody"),
    ({ARM + "mode": "bridge", ARM + "key": "a/b"}, "cannot be a name"),
    ({ARM + "mode": "bridge", ARM + "hostname": "-"}, "host name"),
    ({ARM + "mode": "bridge", ARM + "environment": "=x"}, "NAME=value"),
    ({ARM + "mode": "bridge", ARM + "add_host": "x"}, "name:address"),
    ({ARM + "mode": "bridge", ARM + "sysctls": "x"}, "sysctl"),
    ({ARM + "mode": "bridge", ARM + "command": "'"}, "quotation mark"),
    ({ARM + "mode": "bridge", ARM + "dns": "x"}, "name server"),
    ({ARM + "mode": "bridge", ARM + "user": "a b"}, "user"),
    ({ARM + "mode": "bridge", ARM + "surprise": "1"}, "surprise"),
    ({f"arm-{number}-mode": "bridge" for number in range(50)}, "51 arms"),
)


@pytest.mark.parametrize(("wrong", "fragment"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_what_is_wrong_comes_back_with_its_sentence_and_everything_typed(
    client: Client, wrong: Mapping[str, Any], fragment: str
) -> None:
    typed = {"image": "nginx:1.27", "port": "81", "publish": "8081:81", "names": "db.example", "mode": ["bridge"]}
    answer = client.post("/experiments/", {**typed, **wrong})
    assert answer.status_code == 400
    page = answer.content.decode()
    shown = html.unescape(page)
    assert fragment in shown
    assert forbidden_in(page) == []
    for name, value in {**typed, **wrong}.items():
        for one in value if isinstance(value, list) else [value]:
            if name not in {ARM + "surprise", ARM + "key"} and one != "hots":
                assert one in shown, (name, one)
    assert Experiment.objects.count() == 0
    assert Arm.objects.count() == 0


def test_what_can_be_launched_is_written_down_and_shown(client: Client) -> None:
    answer = client.post("/experiments/", {"image": "nginx", "port": "80", "mode": ["host", "bridge"]})
    assert answer.status_code == 302
    identity = answer["Location"].strip("/").rpartition("/")[2]
    record = experiment_store.load(identity)
    assert record is not None
    assert [arm.key for arm in record.spec.arms] == ["host", "bridge"]
    assert client.get(answer["Location"]).status_code == 200


def test_more_fields_than_a_form_has_are_refused(client: Client) -> None:
    answer = client.post("/experiments/", {f"field-{number}": "x" for number in range(2001)})
    assert answer.status_code == 400
    assert Experiment.objects.count() == 0


def test_more_than_a_megabyte_of_form_is_refused(client: Client) -> None:
    answer = client.post("/experiments/", "image=" + "x" * 2_000_000, content_type="application/x-www-form-urlencoded")
    assert 400 <= answer.status_code < 500
    assert forbidden_in(answer.content.decode()) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=mode\r\n\r\nho"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x"),
        ("application/x-www-form-urlencoded", b"mode=%ff%fe&image=%00&port=%"),
        ("application/json", b'{"mode": "host"}'),
        ("", b"mode=host"),
    ],
)
def test_a_body_that_is_no_form_is_refused(client: Client, kind: str, body: bytes) -> None:
    answer = client.generic("POST", "/experiments/", body, content_type=kind)
    assert 400 <= answer.status_code < 500
    assert Experiment.objects.count() == 0


@st.composite
def posts(draw: st.DrawFn) -> dict[str, list[str]]:
    """Forms from nearly right to nonsense."""
    words = ["host", "bridge", "container", "container:1", "80", "8080:80", "nginx", "A=1", "x:127.0.0.1", "\x00", "'"]
    text = st.text(max_size=12) | st.sampled_from(words)
    values = st.lists(text, max_size=2)
    shared = st.fixed_dictionaries({}, optional=dict.fromkeys((*EXPERIMENT_FIELDS, "mode"), values))
    names = st.builds(
        "arm-{}-{}".format, st.integers(0, 10_000), st.sampled_from(sorted(ARM_FIELDS)) | st.text(max_size=5)
    )
    found: dict[str, list[str]] = draw(shared)
    return found | draw(st.dictionaries(names, values, max_size=8))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(post=posts())
def test_no_form_is_an_error_of_ours(client: Client, post: dict[str, list[str]]) -> None:
    before = Experiment.objects.count()
    answer = client.post("/experiments/", post)
    assert answer.status_code in {302, 400}
    if answer.status_code == 302:
        assert client.get(answer["Location"]).status_code == 200
        assert Experiment.objects.count() == before + 1
    else:
        assert Experiment.objects.count() == before
        assert forbidden_in(answer.content.decode()) == []
