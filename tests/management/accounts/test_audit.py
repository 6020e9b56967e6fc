"""``./netmodes audit``."""

from __future__ import annotations

import json
import os
import signal

import pytest

from dashboard.store.operations import audit
from tests.support.terminal import Terminal, run_here

pytestmark = pytest.mark.django_db(transaction=True)


def test_entries_are_printed_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    audit.record("stop experiment", "aaa", audit.DONE, account="ada", address="192.0.2.1")
    audit.record("save report", "bbb\x1b[31m", audit.REFUSED, account="eve")
    done = run_here(capsys, "audit")
    first, second = done.out.splitlines()
    assert "eve  refused  save report  bbb" in first
    assert "\x1b" not in first
    assert second.endswith("ada  done  stop experiment  aaa  192.0.2.1")


def test_entries_are_filtered_and_printed_as_documents(capsys: pytest.CaptureFixture[str]) -> None:
    audit.record("stop experiment", "aaa", audit.DONE, account="ada")
    audit.record("save report", "bbb", audit.REFUSED, account="eve")
    found = json.loads(run_here(capsys, "audit", "--account", "ada", "--json").out)
    assert (found["schema"], [one["object"] for one in found["entries"]]) == ("audit/1", ["aaa"])
    assert run_here(capsys, "audit", "--outcome", "refused", "--csv").out.count("\n") == 2
    assert run_here(capsys, "audit", "--limit", "1").out.count("\n") == 1
    assert run_here(capsys, "audit", "--account", "nobody").out == ""


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_the_command_ends_quietly_if_the_reader_of_its_output_has_ended(nowhere: Terminal, form: str) -> None:
    nowhere.environment.pop("PYTHONUNBUFFERED", None)
    read, write = os.pipe()
    os.close(read)
    try:
        done = nowhere.run_from_the_start("audit", form, stdout=write)
    finally:
        os.close(write)
    assert (done.code, done.err) == (128 + signal.SIGPIPE, "")
