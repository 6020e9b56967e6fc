"""``./netmodes measure``."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec
import pytest
from django.core.management.base import CommandError

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Measurement
from dashboard.core.operations.json_schemas import schema_of
from dashboard.core.reports.validate import validate_file
from dashboard.management.commands import measure
from tests.support.json_schema import violations
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import Terminal, run_here


def test_the_output_is_one_document_and_the_report_that_it_names_has_every_block(
    terminal: Terminal, engine_host: PrivateEngine
) -> None:
    saved = ("--save", "--title", "Cost")
    done = terminal.run("measure", "host", "bridge", "--seconds", "4", "--seed", "5", *saved, "--json")
    assert done.code == 0, done.err
    assert violations(done.json, schema_of("measurement/1")) == []
    found = msgspec.json.decode(done.out, type=Measurement)
    assert (found.schema, found.seed) == ("measurement/1", 5)
    assert {"host/loopback", "bridge/published-proxy"} <= {one.key for one in found.series if one.n}
    assert found.comparisons
    assert engine_host.docker("ps", "-aq") == ""
    content = validate_file(terminal.run("report", "export", done.json["report"]).out.encode())[0]
    (run,) = content.measurements
    assert (content.title, content.origin) == ("Cost", "measurement")
    assert content.experiment is not None
    assert msgspec.json.decode(msgspec.json.encode(run.measurement.series)) == done.json["series"]
    assert {block.series for block in run.blocks} == {one.key for one in run.series}


def test_without_json_the_output_is_a_table_with_bars_verdicts_and_conditions(terminal: Terminal) -> None:
    options = ("--probe", "http", "--rate", "500", "--seconds", "3.5", "--conditions", "ordinary")
    done = terminal.run("measure", "bridge", *options)
    assert done.code == 0, done.err
    assert "Conditions: ordinary (normal priority, " in done.out
    assert "bridge/published-proxy" in done.out
    assert "█" in done.out
    assert "The time of 3.5 s is up." in done.out


@pytest.mark.slow
def test_ordinary_conditions_are_in_the_json_and_the_report(terminal: Terminal) -> None:
    options = ("--seconds", "1", "--conditions", "ordinary", "--save", "--json")
    done = terminal.run("measure", "host", "bridge", *options)
    assert done.code == 0, done.err
    found = msgspec.json.decode(done.out, type=Measurement)
    assert (found.options.conditions, found.environment.conditions) == (Conditions.ORDINARY, Conditions.ORDINARY)
    exported = terminal.run("report", "export", done.json["report"], "--format", "md")
    assert "Conditions: ordinary \\(normal priority, " in exported.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("host", "--seconds", "0"), "The time limit must be 0.5 to 3600 seconds, not 0."),
        (("host", "--seconds", "86400"), "The time limit must be 0.5 to 3600 seconds, not 86400."),
        (("host", "--probe", "icmp"), "choose from tcp-rr"),
        (("host", "--rate", "0"), "The rate must be 1 to 100,000 requests per second"),
        (("host", "--probe", "http", "--probe", "tcp-rr"), "measure them separately"),
        (("host", "--conditions", "loud"), "Unknown conditions “loud”: choose quiet or ordinary."),
        (("host", "--seed", "9223372036854775808"), "The seed must be at most 9223372036854775807"),
        (("nowhere",), "Unknown mode “nowhere”"),
        (("host", "--port", "eighty"), "The port must be a number"),
    ],
)
def test_invalid_options_are_exit_2_with_the_reason(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    done = run_here(capsys, "measure", *arguments)
    assert done.code == 2
    assert sentence in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("options", "port"),
    [((), 8080), (("--probe", "http"), 80), (("--probe", "http", "--port", "8080"), 8080), (("--port", "80"), 80)],
)
def test_the_port_is_the_one_that_was_given_or_that_of_the_probe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], port: int
) -> None:
    measured: list[int] = []

    def record(draft: dict[str, Any]) -> NoReturn:
        measured.append(int(draft["port"]))
        raise CommandError("stopped by the test")

    monkeypatch.setattr(measure, "parse_draft", record)
    run_here(capsys, "measure", "host", *options)
    assert measured == [port]


def test_without_a_common_path_nothing_is_measured_and_exit_is_1(terminal: Terminal) -> None:
    done = terminal.run("measure", "none", "--seconds", "1")
    assert done.code == 1
    assert "There is no path to measure: none has loopback only" in done.err
