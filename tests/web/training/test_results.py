"""Session results on the web: permissions, exports, and what participants and the public see."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.export.html import policy_of
from dashboard.models import Participant, Share, TrainingSession
from dashboard.store.training import session_state
from dashboard.store.training import sessions as training_sessions
from tests.lab.training_builders import again
from tests.web.asgi_client import NOBODY, Answer, Person, is_strict, person
from tests.web.markup import forbidden_in
from tests.web.training.session_clients import get, join, new, post, sign_in_as, stranger

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


@dataclass
class Met:
    """An open session of three participants who predicted in one step; its answer is revealed."""

    row: TrainingSession
    owner: Person
    rival: Person
    ada: Person
    bob: Person
    outsider: Person

    @property
    def page(self) -> str:
        return f"/sessions/{self.row.id}/results/"

    @property
    def mine(self) -> str:
        return f"/sessions/{self.row.id}/console/results/"


@database_sync_to_async
def _predicted(row: TrainingSession) -> None:
    Participant.objects.filter(session=row).update(joined_at=1000.0, admitted_at=1000.0)
    training_sessions.go_to(row.id, row.owner_id, 1010.0, "launch")
    for number, one in enumerate(Participant.objects.filter(session=row).order_by("name")):
        session_state.mark_opened(row, one.pk, "launch", 1020.0)
        session_state.answer(row, one.pk, "launch", min(number, 1), "said", 1030.0 + number)
    training_sessions.reveal(row.id, row.owner_id, 1100.0, "launch", "machine")


@pytest.fixture
async def met() -> Met:
    row, other = await new(), await new("rival")
    ada, bob = (await join(row.code, "Ada"))[1], (await join(row.code, "=Bob"))[1]
    await join(row.code, "Cleo")
    outsider = (await join(other.code, "Outsider"))[1]
    await _predicted(row)
    found = await database_sync_to_async(again)(row)
    return Met(found, await person(), await sign_in_as("rival"), ada, bob, outsider)


@database_sync_to_async
def close(row: TrainingSession) -> None:
    training_sessions.close(row.id, row.owner_id, 4600.0)


FILES = ("export.people.csv", "export.steps.csv", "export.json", "replay.html", "share/", "anonymous/")


async def test_the_instructor_sees_all_results_and_each_participant_their_own(met: Met) -> None:
    whole = await get(met.page, met.owner)
    assert (whole.status, whole["cache-control"], is_strict(whole), forbidden_in(whole.text)) == (
        200,
        "no-store",
        True,
        [],
    )
    for shown in ("Ada", "=Bob", "Cleo", "Predictions and answers", "Read from the kernel:", "read once"):
        assert shown in whole.text
    ada = await database_sync_to_async(Participant.objects.get)(name="Ada")
    one = await get(f"{met.page}?person={ada.pk}", met.owner)
    assert (one.status, 'id="person"' in one.text) == (200, True)
    assert (await get(f"{met.page}?person=nobody", met.owner)).status == 404

    own = await get(met.page, met.ada)
    assert (own.status, is_strict(own), forbidden_in(own.text)) == (200, True, [])
    assert "Ada" in own.text
    for others in ("=Bob", "Cleo", ada.pk):
        assert others not in own.text
    assert "Predictions of all participants" not in own.text
    assert (await get(met.page, met.outsider)).status == 403
    for who in (NOBODY, await stranger()):
        assert (await get(met.page, who)).status == 401
    assert (await get(met.page, met.rival)).status == 404
    for name in FILES:
        for who in (NOBODY, met.ada, met.outsider, met.rival):
            assert (await get(met.mine + name, who)).status in {401, 403, 404}, name
    assert (await post(f"{met.mine}share/", met.ada, days="7")).status == 403
    assert (await post(f"{met.mine}share/", met.rival, days="7")).status == 404
    assert (await post(f"{met.page}link/", met.outsider)).status == 403
    assert (await post(f"{met.page}link/", met.owner)).status == 404, "an instructor is not a participant"


async def test_the_links_of_a_removed_participant_lead_to_pages(met: Met) -> None:
    await database_sync_to_async(TrainingSession.objects.filter(pk=met.row.pk).update)(record_terminal=True)
    ada = await database_sync_to_async(Participant.objects.get)(name="Ada")
    front = f"/sessions/{met.row.id}/console/seats/{ada.pk}/"

    async def linked(path: str) -> list[str]:
        return re.findall(r'href="(/sessions/[^"#]*)', (await get(path, met.owner)).text)

    shown = f"{met.page}?person={ada.pk}"
    assert front in await linked(shown)
    await post(f"{front}remove/", met.owner)
    links = await linked(shown)
    assert f"{front}terminal/" in links
    for path in (*links, *(await linked(f"{front}terminal/"))):
        assert (await get(path, met.owner)).status == 200, path


async def test_a_results_link_works_also_after_the_session(met: Met) -> None:
    made = await post(f"{met.page}link/", met.ada)
    found = re.search(r"/results/[\w-]{22}/", made.text)
    assert (made.status, made["cache-control"]) == (201, "no-store")
    assert found is not None
    link = found[0]
    elsewhere = await stranger()
    shown = await get(link, elsewhere)
    assert (shown.status, shown["referrer-policy"], is_strict(shown)) == (200, "no-referrer", True)
    assert "Ada" in shown.text
    assert "=Bob" not in shown.text
    assert forbidden_in(shown.text) == []
    assert (await get(met.page, elsewhere)).status == 401, "it opens nothing else"
    await close(met.row)
    after = await get(link, NOBODY)
    assert (after.status, "The session is still open" in after.text) == (200, False)
    assert (await post(link, elsewhere)).status in {403, 405}
    again_made = await post(f"{met.page}link/", met.ada)
    assert again_made.status == 201
    gone = await get(link, NOBODY)
    assert (gone.status, "is not valid" in gone.text, gone["referrer-policy"]) == (404, True, "no-referrer")


async def test_after_the_session_pages_link_to_the_results(met: Met) -> None:
    await close(met.row)
    home = f"/sessions/{met.row.id}/"
    for path in (home, f"{home}steps/launch/"):
        assert f'href="{met.page}"' in (await get(path, met.ada)).text
    assert f'href="{met.page}"' in (await get("/sessions/", met.owner)).text
    assert f'href="{met.page}"' in (await get(f"{home}console/", met.owner)).text


def _lines(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


async def test_all_exports_contain_the_same_figures(met: Met) -> None:
    people, steps, report = [await get(met.mine + name, met.owner) for name in FILES[:3]]
    for answer in (people, steps, report):
        assert answer.status == 200
        assert answer["content-disposition"].startswith('attachment; filename="monday-')
        assert answer["content-security-policy"].startswith("sandbox")
    found = json.loads(report.body)
    assert (found["schema"], found["joined"], len(found["steps"])) == ("session-report/1", 3, 16)
    lines = _lines(people)
    assert {line["person"] for line in lines} == {"Ada", "'=Bob", "Cleo"}
    launch = next(line for line in lines if line["person"] == "Ada" and line["step"] == "launch")
    cell = next(one for one in found["people"] if one["name"] == "Ada")["cells"][1]
    assert (launch["predicted"], launch["truth"], launch["seconds"], launch["state"]) == (
        cell["predicted"],
        cell["truth"],
        "80.0",
        "done",
    )
    assert (launch["right"] == "yes") is cell["right"]
    line = next(one for one in _lines(steps) if one["step"] == "launch")
    assert [line["count_1"], line["count_2"], line["answered"]] == ["1", "2", "3"]
    assert (await get(f"{met.mine}export.pdf", met.owner)).status == 404
    api = await get(f"/api/sessions/{met.row.id}/report", met.owner)
    assert {**api.json, "took_s": 0} == {**found, "took_s": 0}
    assert (await get(f"/api/sessions/{met.row.id}/report?anonymous=true", met.owner)).status == 409
    assert (await get(f"/api/sessions/{met.row.id}/report", met.rival)).status == 404
    assert (await get(f"/api/sessions/{met.row.id}/report", met.ada)).status == 403
    of_all, of_rival = [{one["id"] for one in (await get("/api/sessions", who)).json} for who in (met.owner, met.rival)]
    assert met.row.id in of_all
    assert met.row.id not in of_rival
    assert of_rival < of_all, "the owner of the server leads every session"


async def test_the_replay_is_one_file_with_or_without_names(met: Met) -> None:
    named = await get(f"{met.mine}replay.html", met.owner)
    numbered = await get(f"{met.mine}replay.html?names=no", met.owner)
    for answer in (named, numbered):
        assert answer.status == 200
        assert "default-src 'none'" in policy_of(answer.body)
        assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', answer.text.split("<script>", 2)[0])
    assert "Cleo" in named.text
    assert "Cleo" not in numbered.text
    assert "Person 3" in numbered.text


@database_sync_to_async
def _everything(model: Any) -> list[Any]:
    return list(model.objects.all())


async def test_a_shared_link_shows_anonymous_results_until_it_is_revoked(met: Met) -> None:
    early = await post(f"{met.mine}share/", met.owner, days="7")
    assert (early.status, "Close the session first" in early.text) == (409, True)
    assert (await get(f"{met.mine}anonymous/", met.owner)).status == 404
    await close(met.row)
    assert (await post(f"{met.mine}share/", met.owner, days="8")).status == 400
    made = await post(f"{met.mine}share/", met.owner, days="7")
    found = re.search(r"/r/[\w-]{22}/", made.text)
    assert (made.status, made["cache-control"]) == (201, "no-store")
    assert found is not None
    shown = await get(found[0], NOBODY)
    assert (shown.status, shown["referrer-policy"], shown["x-robots-tag"]) == (200, "no-referrer", "noindex")
    assert shown["content-security-policy"].startswith("sandbox")
    assert "frame-ancestors 'none'" in shown["content-security-policy"]
    participants = await _everything(Participant)
    for nobody in ("Ada", "Bob", "Cleo", met.row.id, *(one.pk for one in participants), "<script"):
        assert nobody not in shown.text
    assert "Predictions and answers" in shown.text
    assert (await get(f"{met.mine}anonymous/", met.owner)).body == shown.body
    (share,) = await _everything(Share)
    assert (share.session_id, share.views) == (met.row.id, 1)
    assert (await post(f"{met.mine}shares/{share.pk}/revoke/", met.rival)).status == 404
    assert (await post(f"{met.mine}shares/x/revoke/", met.owner)).status == 404
    assert (await post(f"{met.mine}shares/{share.pk}/revoke/", met.owner))["location"] == f"{met.mine}share/"
    assert (await get(found[0], NOBODY)).status == 404
    assert (await get(f"/api/sessions/{met.row.id}/report?anonymous=true", met.owner)).json["people"] == []


async def test_links_to_results_begin_with_an_address_that_others_can_open(met: Met, settings: object) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://class.example.org"]  # type: ignore[attr-defined]
    own = await post(f"{met.page}link/", met.ada)
    await close(met.row)
    shared = await post(f"{met.mine}share/", met.owner, days="7")
    assert "https://class.example.org/results/" in own.text
    assert "https://class.example.org/r/" in shared.text
    assert "Only this machine can open this address." not in shared.text
    settings.CSRF_TRUSTED_ORIGINS = []  # type: ignore[attr-defined]
    assert "Only this machine can open this address." in (await post(f"{met.mine}share/", met.owner, days="7")).text


async def test_a_raised_hand_is_recorded_with_its_step(met: Met) -> None:
    await post(f"/sessions/{met.row.id}/hand/", met.ada, up="yes", step="launch", text="Why?")
    report = (await get(f"{met.mine}export.json", met.owner)).json
    assert (report["steps"][1]["hands"], report["steps"][1]["questions"]) == (1, 1)
