"""``./netmodes doctor`` lists the supported modes, also without an engine."""

from __future__ import annotations

import msgspec

from dashboard.core.experiments.messages import Doctor
from dashboard.core.modes import Mode
from dashboard.core.operations.json_schemas import schema_of
from tests.support.json_schema import violations
from tests.support.terminal import Terminal


def test_the_output_is_one_document_that_matches_its_schema(terminal: Terminal) -> None:
    done = terminal.run("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    assert violations(done.json, schema_of("doctor/1")) == []
    found = msgspec.json.decode(done.out, type=Doctor)
    assert found.engine is not None
    assert [one.mode for one in found.modes] == list(Mode)
    works = {one.mode: one.available for one in found.modes}
    assert works["host"]
    assert works["bridge"]
    assert all(one.reason for one in found.modes if not one.available)
    assert {"engine", "root", "namespaces", "machine"} <= {one.name for one in found.checks}


def test_without_json_the_output_is_a_table(terminal: Terminal) -> None:
    done = terminal.run("doctor")
    assert done.code == 0
    assert "yes  host" in done.out
    assert "good  engine" in done.out


def test_without_an_engine_the_command_exits_with_1_and_the_reason(nowhere: Terminal) -> None:
    done = nowhere.run("doctor", "--json")
    assert done.code == 1
    assert violations(done.json, schema_of("doctor/1")) == []
    assert done.json["engine"] is None
    assert not any(one["available"] for one in done.json["modes"])
    engine = next(one for one in done.json["checks"] if one["name"] == "engine")
    assert not engine["ok"]
    assert "No Docker Engine answers" in engine["detail"]
    assert "No Docker Engine answers" in nowhere.run("doctor").out
