"""The reference is complete: every command with its options, every setting, every address of the API."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from dashboard.core.experiments.stream import Patch, Snapshot
from dashboard.core.training.messages import ParticipantState, ProgressChanged, SessionState
from dashboard.web.experiments.api import api
from tests.docs import reference
from tests.docs.documents import ROOT, pages

PAGES = pages()
#: How settings are named in code: those of Netmodes, and those that other programs read, too.
SETTING = re.compile(
    r"\b(NETMODES_[A-Z][A-Z_]*[A-Z]|DOCKER_(?:HOST|CERT_PATH|TLS_VERIFY)|DATABASE_URL|NATS_URL|XDG_DATA_HOME)\b"
)
#: Names in code that no person sets.
INTERNAL = {"NETMODES_PRIVATE_HOST": "how the processes of a private host are found again"}


def test_the_commands_are_those_of_their_parsers() -> None:
    _before, mark, listed = PAGES["docs/commands.md"].partition(reference.MARK)
    assert mark
    assert listed.strip() == reference.render().strip(), "run python -m tests.docs.reference"


def test_every_option_says_what_it_does() -> None:
    assert [line for line in reference.render().splitlines() if re.fullmatch(r"\| `.*` \|\s*\|", line)] == []


@pytest.mark.parametrize("name", reference.LAUNCHER)
def test_commands_of_the_launcher_itself_are_described(name: str) -> None:
    assert f"| `{name}` |" in PAGES["docs/commands.md"].partition(reference.MARK)[0]


def test_every_setting_that_is_read_is_described_and_no_other() -> None:
    code = [ROOT / "netmodes", *(ROOT / "dashboard").rglob("*.py")]
    read = {name.removesuffix("_FILE") for path in code for name in SETTING.findall(path.read_text())} - set(INTERNAL)
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGES["docs/settings.md"], re.MULTILINE)
    described = {name.removesuffix("_FILE") for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert described == read


def shape(path: str) -> str:
    """An address with ``*`` in place of each value."""
    return re.sub(r"\{[^}]+\}|(?<=/)[A-Z]+(?=/|$)", "*", path.partition("?")[0])


def is_meant(said: tuple[str, str], operation: tuple[str, str]) -> bool:
    """Whether a documented address matches an operation. A part of it may be a concrete value of a parameter."""
    parts, others = said[1].split("/"), operation[1].split("/")
    fits = [other in {part, "*"} for part, other in zip(parts, others, strict=False)]
    return said[0] == operation[0] and len(parts) == len(others) and all(fits)


def described_operations() -> list[set[tuple[str, str]]]:
    """The possible meanings of each address in the table of docs/api.md: ``/x`` after another address extends it or
    replaces its last part."""
    found = []
    for row in re.findall(r"^\| (`.*?) \|", PAGES["docs/api.md"], re.MULTILINE):
        method, first = "", ""
        for word in re.findall(r"`([^`]+)`", row):
            said = re.fullmatch(r"(?:([A-Z]+) )?(\S+)", word)
            assert said, f"docs/api.md: {word}"
            if said[1]:
                method, first = said[1], said[2].partition("?")[0]
                found.append({(method, shape(first))})
            elif not method:
                continue  # a websocket
            else:
                tail = said[2].removeprefix("…")
                found.append({(method, shape(first + tail)), (method, shape(first.rpartition("/")[0] + tail))})
    return found


def test_every_field_of_a_snapshot_and_a_patch_is_described() -> None:
    text = PAGES["docs/api.md"].partition("## The websocket\n")[2].partition("\n## ")[0]
    assert [one.name for kind in (Snapshot, Patch) for one in fields(kind) if f"`{one.name}`" not in text] == []


def test_every_message_of_a_session_and_its_fields_are_described() -> None:
    text = PAGES["docs/api.md"].partition("## Training sessions\n")[2].partition("\n## ")[0]
    kinds = (SessionState, ParticipantState, ProgressChanged)
    types = [one.default for kind in kinds for one in fields(kind) if one.name == "type"]
    named = [one.name for kind in kinds for one in fields(kind) if one.name not in {"type", "v"}]
    assert [name for name in (*types, *named) if not re.search(rf"`{name}\b", text)] == []


def test_every_address_of_the_api_is_described_and_no_other() -> None:
    document = api.get_openapi_schema()
    there = {
        (method.upper(), shape(path))
        for path, methods in dict(document["paths"]).items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    }
    described = described_operations()
    missing = [one for one in there if not any(is_meant(said, one) for each in described for said in each)]
    assert missing == []
    unknown = [sorted(each) for each in described if not any(is_meant(said, one) for said in each for one in there)]
    assert unknown == []
