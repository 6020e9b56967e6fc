"""The launch form keeps the typed values and shows each error at its field."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.core.experiments.drafts import ARM_FIELDS
from dashboard.core.modes import Publish
from dashboard.models import Arm, Experiment
from dashboard.web.experiments.forms import SHARED_FIELDS, LaunchForm
from tests.support.records import load_record
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


def arms(*options: Mapping[str, str]) -> dict[str, str]:
    """The fields of the formset."""
    fields = {f"arms-{number}-{name}": value for number, arm in enumerate(options) for name, value in arm.items()}
    return {"arms-TOTAL_FORMS": str(len(options)), "arms-INITIAL_FORMS": "0", **fields}


def test_a_form_is_read_as_the_api_would_read_it() -> None:
    options = arms({"mode": "bridge", "environment": "A=1\nB=2"}, {"mode": "none", "command": "sleep 1000"})
    post = query(image="nginx", port="81", publish="8080:80", names="db.example", mode=["host", "bridge"], **options)
    spec = LaunchForm(post).parse()
    assert spec is not None
    assert [arm.key for arm in spec.arms] == ["host", "bridge", "bridge-2", "none"]
    assert spec.arms[2].environment == {"A": "1", "B": "2"}
    assert spec.arms[3].command == ("sleep", "1000")
    assert spec.port == 81


def published(**fields: str | list[str]) -> list[Publish]:
    """The ports that bridge publishes."""
    spec = LaunchForm(query(mode="bridge", **fields)).parse()
    assert spec is not None
    return list(spec.arms[0].publish)


def test_an_empty_mapping_publishes_the_port_at_the_free_port_of_the_machine() -> None:
    assert published(port="3000", free_port="8081") == [Publish(3000, 8081)]
    assert published(port="3000", free_port="8081", publish="9000:3000") == [Publish(3000, 9000)]
    assert published(port="3000", free_port="8081", publish="none") == []
    assert LaunchForm(query(mode="bridge", port="3000", free_port="80\0")).parse() is None
    assert published(port="3000", publish="") == []


def test_another_free_port_takes_the_place_of_the_form_s_but_not_of_the_user_s() -> None:
    form = LaunchForm(query(mode=["bridge", "user-bridge"], port="3000", free_port="8081"))
    assert form.parse() is not None
    assert form.uses_free_port
    spec = form.parse(8090)
    assert spec is not None
    assert [arm.publish for arm in spec.arms] == [(Publish(3000, 8090),), (Publish(3000, 8091),)]
    for publish in ("9000:3000", "none"):
        form = LaunchForm(query(mode="bridge", port="3000", free_port="8081", publish=publish))
        assert form.parse() is not None
        assert not form.uses_free_port


@pytest.mark.parametrize("port", ["eighty", "0", "99999", "٨٠"])
def test_an_invalid_port_is_one_error_and_not_one_of_the_mapping_too(port: str) -> None:
    form = LaunchForm(query(mode="bridge", port=port, free_port="8081"))
    assert form.parse() is None
    assert [problem["target"] for problem in form.problems] == ["field-port"]


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({"mode": ["host", "bridge"], "free_port": "8080"}, False),
        ({"mode": ["host", "bridge"], "port": "eighty"}, False),
        ({"mode": ["host", "bridge"], "title": "Shop"}, True),
        ({"mode": ["host", "bridge"], "publish": "99999:1"}, True),
        ({"mode": ["host", "bridge"], "names": "db"}, True),
        ({"mode": ["host"]}, True),
        ({}, True),
    ],
)
def test_more_options_are_open_if_they_hold_a_value_or_an_error(fields: dict[str, str], is_open: bool) -> None:
    form = LaunchForm(query(**fields))
    form.parse()
    assert form.has_options is is_open


def test_a_new_form_is_folded() -> None:
    assert not LaunchForm(free_port=8080).has_options


def test_an_experiment_and_its_arms_have_names() -> None:
    spec = LaunchForm(query(title="Shop", **arms({"mode": "bridge", "key": "web"}))).parse()
    assert spec is not None
    assert spec.title == "Shop"
    assert [arm.key for arm in spec.arms] == ["web"]


def test_arms_without_a_mode_are_not_used() -> None:
    spec = LaunchForm(query(mode="host", **arms({"mode": "", "command": ""}, {"mode": "  "}))).parse()
    assert spec is not None
    assert [arm.key for arm in spec.arms] == ["host"]


def test_an_arm_with_options_and_no_mode_is_an_error_at_its_mode_and_nothing_is_launched(client: Client) -> None:
    options = arms({"mode": ""}, {"mode": "", "hostname": "w"})
    answer = client.post("/experiments/", {"mode": "host", "image": "nginx", "port": "80", **options})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "Arm 2 has options but no mode: choose a mode or clear the options." in page
    assert '<a href="#arms-1-mode">' in page
    assert 'value="w"' in page
    assert Experiment.objects.count() == 0


def test_fields_that_the_form_does_not_have_are_ignored() -> None:
    form = LaunchForm(query(mode="host", surprise="1", csrfmiddlewaretoken="x", **arms({"surprise": "1"})))
    assert form.parse() is not None
    assert form.problems == []


@pytest.mark.parametrize("name", ["arms-0-", "arms--mode", "arms-x-mode", "arms-9-mode", "arms-0-MODE", "xarms-0-mode"])
def test_a_name_that_is_not_a_field_of_an_arm_is_ignored(name: str) -> None:
    spec = LaunchForm(query(mode="none", **{**arms({}), name: "host"})).parse()
    assert spec is not None
    assert [arm.key for arm in spec.arms] == ["none"]


def test_an_error_is_shown_at_the_field_that_it_is_about() -> None:
    options = arms({"mode": "bridge", "publish": "99999:80"}, {}, {"mode": "bridge"}, {"mode": "nonsense", "dns": "x"})
    form = LaunchForm(query(mode=["host", "bridge"], port="0", names="a/b", **options))
    assert form.parse() is None
    assert [problem["target"] for problem in form.problems] == [
        "field-port",
        "field-names",
        "arms-0-publish",
        "arms-3-mode",
        "arms-3-dns",
    ]
    assert [problem["target"] for problem in LaunchForm(query(mode=["hots"])).problems] == []
    unknown = LaunchForm(query(mode=["hots"]))
    assert unknown.parse() is None
    assert {problem["target"] for problem in unknown.problems} == {"field-mode"}


ARM = "arms-0-"
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
    ({ARM + "mode": "bridge", ARM + "image": "a b"}, "name of an image"),
    ({ARM + "mode": "bridge", ARM + "hostname": "-"}, "host name"),
    ({ARM + "mode": "bridge", ARM + "environment": "=x"}, "NAME=value"),
    ({ARM + "mode": "bridge", ARM + "add_host": "x"}, "name:address"),
    ({ARM + "mode": "bridge", ARM + "sysctls": "x"}, "sysctl"),
    ({ARM + "mode": "bridge", ARM + "command": "'"}, "quotation mark"),
    ({ARM + "mode": "bridge", ARM + "dns": "x"}, "name server"),
    ({ARM + "mode": "bridge", ARM + "user": "a b"}, "user"),
    ({ARM + "mode": "", ARM + "command": "id"}, "options but no mode"),
    ({f"arms-{number}-mode": "bridge" for number in range(50)}, "51 arms"),
)


@pytest.mark.parametrize(("wrong", "fragment"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_a_form_with_errors_keeps_everything_typed(client: Client, wrong: Mapping[str, Any], fragment: str) -> None:
    typed = {"image": "nginx:1.27", "port": "81", "publish": "8081:81", "names": "db.example", "mode": ["bridge"]}
    # A page of fifty arms takes 0.4 s of processor time.
    forms = sum(name.endswith("-mode") for name in wrong)
    management = {"arms-TOTAL_FORMS": str(max(1, forms)), "arms-INITIAL_FORMS": "0"}
    answer = client.post("/experiments/", {**typed, **management, **wrong})
    assert answer.status_code == 400
    page = answer.content.decode()
    shown = html.unescape(page)
    assert fragment in shown
    assert forbidden_in(page) == []
    for name, value in {**typed, **wrong}.items():
        for one in value if isinstance(value, list) else [value]:
            if one != "hots":
                assert one in shown, (name, one)
    assert Experiment.objects.count() == 0
    assert Arm.objects.count() == 0


def test_a_valid_form_creates_an_experiment(client: Client) -> None:
    answer = client.post("/experiments/", {"image": "nginx", "port": "80", "mode": ["host", "bridge"]})
    assert answer.status_code == 302
    identity = answer["Location"].strip("/").rpartition("/")[2]
    record = load_record(identity)
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
def test_a_body_that_is_not_a_form_is_refused(client: Client, kind: str, body: bytes) -> None:
    answer = client.generic("POST", "/experiments/", body, content_type=kind)
    assert 400 <= answer.status_code < 500
    assert Experiment.objects.count() == 0


@st.composite
def posts(draw: st.DrawFn) -> dict[str, list[str]]:
    """Generates form data, from nearly valid to nonsense."""
    words = ["host", "bridge", "container", "container:1", "80", "8080:80", "nginx", "A=1", "x:127.0.0.1", "\x00", "'"]
    text = st.text(max_size=12) | st.sampled_from(words)
    values = st.lists(text, max_size=2)
    shared = st.fixed_dictionaries({}, optional=dict.fromkeys((*SHARED_FIELDS, "mode"), values))
    names = st.builds(
        "arms-{}-{}".format, st.integers(0, 60), st.sampled_from(sorted(ARM_FIELDS)) | st.text(max_size=5)
    )
    found: dict[str, list[str]] = draw(shared)
    total = draw(st.sampled_from([[], ["x"], ["-1"], ["3"], ["70"], ["100000"]]))
    return found | {"arms-TOTAL_FORMS": total} | draw(st.dictionaries(names, values, max_size=8))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(post=posts())
def test_no_form_is_a_server_error(client: Client, post: dict[str, list[str]]) -> None:
    before = Experiment.objects.count()
    answer = client.post("/experiments/", post)
    assert answer.status_code in {302, 400}
    if answer.status_code == 302:
        assert client.get(answer["Location"]).status_code == 200
        assert Experiment.objects.count() == before + 1
    else:
        assert Experiment.objects.count() == before
        assert forbidden_in(answer.content.decode()) == []
