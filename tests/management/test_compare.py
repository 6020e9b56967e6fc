"""``./netmodes compare``: an experiment on the command line, and its cleanup."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import msgspec
import pytest
from django.core.management import call_command

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.messages import Comparison
from dashboard.core.modes import Mode
from dashboard.core.operations.json_schemas import schema_of
from dashboard.core.reports.validate import validate_file
from dashboard.launcher import machine
from dashboard.management.commanding import NetmodesCommand
from tests.core.comparison.test_text_table import make_comparison
from tests.core.scenes import make_scene
from tests.support import engine_api
from tests.support.json_schema import violations
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import LONG_S, Done, Terminal, run_here


def names(host: PrivateEngine) -> list[str]:
    return engine_api.containers(host.endpoint)


def test_the_output_is_one_document_that_matches_its_schema_and_nothing_is_left(
    terminal: Terminal, engine_host: PrivateEngine
) -> None:
    modes, saved = ("host", "bridge", "user-bridge", "none"), ("--save", "--title", "From cron")
    done = terminal.run("compare", *modes, "--publish", "18200:80", *saved, "--json")
    assert done.code == 0, done.err
    assert violations(done.json, schema_of("comparison/1")) == []
    found = msgspec.json.decode(done.out, type=Comparison)
    assert found.schema == "comparison/1"
    assert [one.key for one in found.columns] == ["machine", "host", "bridge", "user-bridge", "none"]
    assert set(found.states) == {one.key for one in found.columns}
    assert found.states["host"].netns == found.states["machine"].netns
    host, bridge = found.columns[1], found.columns[2]
    assert host.warnings == ("Published ports are discarded when using host network mode",)
    assert (host.published, {one.host_port for one in bridge.published}) == ((), {18200})
    assert any(one.port == 80 for one in found.states["bridge"].listeners), "it waited until the program listened"
    assert {row.relation for row in found.rows} == {"same", "differs", "only"}
    assert names(engine_host) == []
    assert engine_api.networks(engine_host.endpoint) == []
    assert_report_can_be_exported(terminal, done)


def assert_report_can_be_exported(terminal: Terminal, done: Done) -> None:
    """Exports the report that a comparison names, and checks its content."""
    report = done.json["report"]
    assert f"Saved as report {report}" in done.err
    exported = terminal.run("report", "export", report)
    assert exported.code == 0, exported.err
    content = validate_file(exported.out.encode())[0]
    assert content.title == "From cron"
    assert content.experiment is not None
    assert (content.experiment.head.phase, content.experiment.engine.version) == (
        "stopped",
        done.json["engine"]["version"],
    )
    assert 0 < content.experiment.shown_seq < content.experiment.journal[-1].seq
    view = replay(entry for entry in content.experiment.journal if entry.seq <= content.experiment.shown_seq)
    assert set(view.states) == set(done.json["states"])
    assert content.environment.cores > 0


def test_networks_are_options_of_the_arms_that_can_have_them(terminal: Terminal, engine_host: PrivateEngine) -> None:
    options = ("--network", "back", "--network", "side,ipv6", "--ipv6", "yes")
    done = terminal.run("compare", "host", "user-bridge", *options, "--json")
    found = {column["key"]: column for column in done.json["columns"]}
    assert found["host"]["status"] == "running"
    assert found["user-bridge"]["command"].count("--network") == 3
    assert engine_api.networks(engine_host.endpoint) == []


@pytest.mark.django_db(transaction=True)
def test_without_json_the_output_is_a_table_with_rows_that_are_the_same_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, states = make_scene(("host", "bridge"))

    async def compared(*_arguments: object, **_options: object) -> Comparison:
        return make_comparison(columns, compare(columns, states))

    monkeypatch.setattr("dashboard.management.commands.compare.compare_once", compared)
    brief, whole = (run_here(capsys, "compare", "host", "bridge", *options) for options in ((), ("--all",)))
    assert (brief.code, whole.code) == (0, 0), whole.err
    assert "rows are the same in all columns." in brief.out
    assert "rows are the same in all columns." not in whole.out
    assert "docker run --rm -d --network host " in brief.out
    assert "\n≠ " in brief.out
    assert ("\n= " in brief.out, "\n= " in whole.out) == (False, True)


def test_a_program_that_ends_at_once_is_exit_1_with_its_code(terminal: Terminal, engine_host: PrivateEngine) -> None:
    done = terminal.run("compare", "bridge", "none", "--command", "sh -c 'echo why; exit 4'", "--json")
    assert done.code == 1
    statuses = {one["key"]: (one["status"], one["exit_code"]) for one in done.json["columns"]}
    assert statuses["bridge"] == statuses["none"] == ("exited", 4)
    assert "exited with code 4" in done.err
    assert names(engine_host) == []


def test_a_mode_that_docker_refuses_is_exit_1_with_its_message(terminal: Terminal, engine_host: PrivateEngine) -> None:
    done = terminal.run("compare", "none", "overlay", "--json")
    assert done.code == 1
    assert "swarm" in done.err
    assert next(one for one in done.json["columns"] if one["key"] == "none")["status"] == "running"
    assert names(engine_host) == []


@pytest.mark.slow
def test_an_unknown_image_is_exit_1(terminal: Terminal, engine_host: PrivateEngine) -> None:
    done = terminal.run("compare", "none", "bridge", "--image", "no/such:1", "--json")
    assert done.code == 1
    assert "no/such:1" in done.err
    assert done.json["states"].keys() <= {"machine"}
    assert names(engine_host) == []


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ((), "MODE"),
        (("hots",), "hots"),
        (("bridge:1",), "container"),
        (("container:1",), "own namespace"),
        (("host", "container:9"), "No arm is called"),
        (("host", "--port", "0"), "1 to 65535"),
        (("host", "--port", "eighty"), "eighty"),
        (("host", "--publish", "x:80"), "1 to 65535"),
        (("host", "--image", "NGINX/"), "name of an image"),
        (("host", "--name", "a b"), "is not a host name"),
        (("host", "--command", "'"), "quotation mark"),
        (("user-bridge", "--network", "Back"), "not a valid network name"),
        (("user-bridge", "--network", "back", "--network", "back,mtu=9"), "not an option of a network"),
        (("user-bridge", "--ipv6", "maybe"), "maybe"),
        (("host", "--nonsense"), "nonsense"),
        (("bridge",) * 51, "at most 50"),
    ],
)
def test_wrong_usage_is_exit_2_with_the_reason_on_stderr_only(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], fragment: str
) -> None:
    done = run_here(capsys, "compare", *arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert fragment in done.err
    assert "Traceback" not in done.err


def test_wrong_usage_is_the_same_for_a_whole_process(nowhere: Terminal) -> None:
    done = nowhere.run_from_the_start("compare", "hots", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Unknown mode “hots”: choose one of {', '.join(Mode)}.\n"


def test_without_an_engine_the_command_exits_with_1_and_the_reason(nowhere: Terminal) -> None:
    done = nowhere.run("compare", "host", "--json")
    assert (done.code, done.out) == (1, "")
    assert "No Docker Engine answers" in done.err
    assert "Traceback" not in done.err


def test_keep_leaves_containers_that_reap_removes(terminal: Terminal, engine_host: PrivateEngine) -> None:
    done = terminal.run("compare", "bridge", "user-bridge", "--keep", "--json")
    assert done.code == 0, done.err
    kept = sorted(one["container"]["name"] for one in done.json["columns"] if one["container"])
    assert sorted(names(engine_host)) == kept
    assert len(kept) == 2
    reaped = terminal.run("reap", "--json")
    assert reaped.code == 0, reaped.err
    assert sorted(one for one in reaped.json["removed"] if "container" in one) == [f"container {one}" for one in kept]
    assert any("network" in one for one in reaped.json["removed"])
    assert names(engine_host) == []


@pytest.mark.parametrize("keep", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_ctrl_c_during_a_run_leaves_nothing(terminal: Terminal, engine_host: PrivateEngine, keep: bool) -> None:
    # No program listens on this port: the command waits for that, and does not end before the signal.
    options = ("--port", "81", *(["--keep"] if keep else []))
    running = terminal.start("compare", *["bridge"] * 3, "user-bridge", *options)
    until(lambda: names(engine_host) or running.process.poll() is not None, LONG_S)
    done = running.interrupt()
    assert done.code == 130, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert names(engine_host) == []
    assert engine_api.networks(engine_host.endpoint) == []


def test_reap_removes_what_sigkill_left_and_keeps_a_running_command(
    terminal: Terminal, engine_host: PrivateEngine
) -> None:
    killed = terminal.start("compare", "bridge", "user-bridge", "--command", "sleep 1000")
    until(lambda: len(names(engine_host)) == 2, LONG_S)
    killed.kill()
    left = set(names(engine_host))
    living = terminal.start("measure", "bridge", "--seconds", "600", "--rate", "10", "--conditions", "ordinary")
    until(lambda: len(names(engine_host)) == 3 or living.process.poll() is not None, LONG_S)
    reaped = terminal.run("reap", "--json")
    assert reaped.code == 0, reaped.err
    assert {one for one in reaped.json["removed"] if "container" in one} == {f"container {one}" for one in left}
    assert len(reaped.json["kept"]) == 1
    (kept,) = names(engine_host)
    assert kept not in left
    assert living.interrupt().code == 130
    assert names(engine_host) == []


def test_a_terminal_without_utf_8_shows_signs_in_ascii_and_json_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    class Printing(NetmodesCommand):
        """Prints the signs of a comparison."""

        def handle(self, *_args: Any, **_options: Any) -> None:
            self.stdout.write("≠ ◐ “é” …☃")
            self.print_json({"text": "“é” ☃"})

    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="latin-1"))
    call_command(Printing())
    sys.stdout.flush()
    text, document = printed.getvalue().decode("latin-1").splitlines()
    assert text == '! + "é" ...?'
    assert json.loads(document) == {"text": "“é” ☃"}


def test_an_ordinary_user_gets_a_line_for_root_with_quotes_and_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["manage.py", "compare", "host", "--title", "my test"])
    monkeypatch.setattr(machine, "REPEATED", ("NETMODES_LOG_LEVEL",))
    monkeypatch.setattr(machine, "has", lambda program: program == "sudo")
    monkeypatch.setenv("NETMODES_LOG_LEVEL", "INFO")
    done = run_here(capsys, "compare", "host")
    assert done.code == 1
    assert "sudo NETMODES_LOG_LEVEL=INFO ./netmodes compare host --title 'my test'" in done.err
