"""The layout of the repository: modules and their tests, sizes, the documented tree, no sleep in tests."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
#: The layers in which every module has a test file of its own.
LAYERS = ("core", "engine", "netns", "latency", "store", "lab", "launcher")
MAX_LINES = 300
MAX_MODULES = 16

#: Modules without a test file of their own, and where they are tested.
NO_OWN_TEST: dict[str, str] = {
    "core/claims/lines.py": "tests/core/claims/test_model.py parses every line",
    "core/claims/testbed.py": "the protocol; tests/lab/claims/test_testbed.py tests its implementation",
    "core/paths/evidence.py": "types only; tests/core/paths/test_trace.py fills them",
    "core/paths/hops.py": "types only; tests/core/paths/test_trace.py reads them",
    "core/paths/model.py": "tests/core/paths/test_finder.py finds every kind of path",
    "core/training/results/model.py": "types only; tests/core/training/results/test_report.py fills them",
    "core/workshops/actions.py": "types only; tests/core/workshops/test_commands.py parses a line into each",
    "core/workshops/fields.py": "tests/core/workshops/test_parser.py reads every field, valid and invalid",
    "core/workshops/checks/check_types.py": "tests/core/workshops/checks/test_vocabulary.py runs every check",
    "core/workshops/checks/containers.py": "tests/core/workshops/checks/test_vocabulary.py runs every check",
    "core/workshops/checks/namespaces.py": "tests/core/workshops/checks/test_vocabulary.py runs every check",
    "engine/docker_connection.py": "tests/engine/test_hostile_engine.py and test_engine_faults.py break its calls",
    "engine/protocol.py": "types only; tests/engine/test_docker_engine.py holds the implementation to them",
    "lab/experiments/containers.py": "tests/lab/experiments/test_arms.py creates and removes them",
    "lab/machines/blocks.py": "tests/team/test_between_machines.py calls them on real labs",
    "lab/remote/call_server.py": "tests/web/operations/test_remote_lab.py and test_link_server.py send it calls",
    "lab/remote/lan_calls.py": "tests/lab/lans/test_named_lans.py and tests/web/experiments/test_lan_views.py",
    "lab/remote/rpc_server.py": "tests/web/operations/test_remote_lab.py calls it from the other end",
    "lab/remote/training_calls.py": "tests/lab/remote/test_rpc.py and tests/web/training/test_views.py call them",
    "lab/remote/workshop_calls.py": "tests/lab/remote/test_rpc.py and tests/web/workshops/test_views.py call them",
    "lab/supervisor.py": "tests/web/operations/test_remote_lab.py and tests/lab/remote/test_rpc.py open and close it",
    "lab/training/host_actions.py": "tests/lab/training/test_hosts.py starts, checks, resets and removes hosts",
    "latency/loops.py": "tests/latency/test_client.py runs them with a stalling and a failing exchange",
    "latency/remote_clients.py": "the protocol; tests/lab/machines/test_client_line.py tests its implementation",
    "latency/children.py": "tests/latency/test_process.py starts, asks and ends its children",
    "store/measurements/history.py": "tests/bench/measurements/test_history.py fills and reads it",
    "store/training/session_versions.py": "tests/web/operations/test_peer_sync.py finds changes by them",
}

#: Folders whose modules share one form, and the test that runs all of them.
TESTED_TOGETHER = {
    "catalogue": "tests/core/claims/test_model.py and tests/lab/claims/test_executor.py run each claim",
    "help": "tests/web/test_help_text.py checks every text and every heading",
    "questions": "tests/core/claims/test_question.py checks each of them",
    "misconceptions": "tests/core/claims/test_misconception.py runs each of them",
}

#: Tests that cover several modules, and what they prove.
ACROSS_MODULES: dict[str, str] = {
    "core/claims/test_catalogue.py": "what claims of the catalogue conclude from observations",
    "core/claims/test_evidence.py": "what claims of the catalogue write as evidence",
    "core/experiments/drafts/test_problems.py": "drafts with problems, in every field",
    "core/paths/test_published_paths.py": "which paths to published ports are measured, in whole scenes",
    "core/diagram/test_places.py": "where boxes and edges are in every picture",
    "engine/hosts/test_escapes.py": "root in a private host reaches nothing outside, and leaves nothing",
    "engine/hosts/test_side_by_side.py": "two participants see nothing of each other in their terminals",
    "engine/test_engine_changes.py": "engines that are too old, too new, changed by Docker Engine 29, or odd",
    "engine/test_engine_faults.py": "an engine that hangs, dies, comes back or loses its socket",
    "engine/facts/test_host_mode.py": "what host mode does on a real engine",
    "engine/facts/test_names.py": "resolv.conf, names and hosts on a real engine",
    "engine/facts/test_ports.py": "listening and published ports on a real engine",
    "engine/facts/test_settings.py": "sysctls, refusals and shared namespaces on a real engine",
    "engine/lans/test_lan_hosts.py": "hosts and neighbours of a LAN on the real machine",
    "engine/test_hostile_engine.py": "nonsensical answers end in a value or an EngineError",
    "engine/test_run_line.py": "the docker run line that is shown does what was done",
    "lab/workshops/test_from_outside.py": "the buttons of the workshop finish its steps on a real private host",
    "lab/experiments/engines/test_direct_routing.py": "direct routing is offered where the engine permits it",
    "lab/experiments/engines/test_podman.py": "a comparison and the claims on a real Podman",
    "lab/experiments/engines/test_podman_modes.py": "Podman's own modes as root",
    "lab/experiments/engines/test_rootless_podman.py": "an experiment on a real rootless Podman",
    "lab/experiments/engines/test_odd_engine.py": "an engine with odd answers has a sentence and keeps nothing",
    "lab/experiments/engines/test_remote_engine.py": "experiments, claims and the doctor on a remote engine",
    "lab/experiments/engines/test_rootless_engine.py": "experiments and the doctor on a real rootless engine",
    "lab/experiments/running/test_ended_containers.py": "containers that end, are killed or are removed from outside",
    "lab/experiments/running/test_observed_changes.py": "what the view and the journal record of changes",
    "lab/engine/test_failing_calls.py": "calls of an engine and of a database that fail",
    "lab/engine/test_faults.py": "the lab on an engine that hangs, dies and comes back",
    "lab/lans/test_ended_hosts.py": "hosts of a LAN that have ended are started again",
    "lab/lans/test_experiments_on_hosts.py": "experiments on the hosts of a LAN end with it",
    "lab/test_new_lab.py": "a new lab adopts, finishes or removes what an earlier one left",
    "lab/experiments/test_network_refusals.py": "networks and attachments that are refused, and what is tried again",
    "lab/experiments/test_published_ports.py": "paths to published ports agree with the kernel's rules",
    "lab/training/test_two_groups.py": "two groups on private hosts do not see each other",
    "latency/test_filtered.py": "a firewall between client and server",
    "latency/test_told_apart.py": "the runner tells differences of microseconds apart on a quiet machine",
    "lab/experiments/test_any_engine.py": "what the lab shows agrees with ss, iptables and requests on any engine",
    "netns/test_truth.py": "what is read agrees with ip, ss and sysctl",
}

#: Modules longer than MAX_LINES, and why.
LONGER: dict[str, str] = {
    "dashboard/core/namespaces/state.py": "everything that is observed of a namespace, one small class each",
    "dashboard/lab/reconciler.py": "the start, each pass and the shutdown share the drivers of all experiments",
    "dashboard/lab/experiments/driver.py": "passes and events of one experiment share its lock, round and stop flag",
    "dashboard/store/parts.py": "the parts of an experiment are read and written as one, with one journal",
    "dashboard/engine/docker_engine.py": "it holds every operation of the protocol",
}

#: Folders with more than MAX_MODULES modules, and why.
LARGER: dict[str, str] = {
    "dashboard/core/claims/catalogue": "one claim per file, or those of one subject",
    "dashboard/management/commands": "one command per file; Django finds them only here",
    "dashboard/migrations": "one migration per file",
    "tests/netns": "a test file for each module, and the namespaces that they use",
    "tests/lab": "a test file for each module, and the hosts and training sessions that tests use",
    "tests/engine": "a test file for each module, and engines that are broken, odd, hostile or of another version",
    "tests/engine/hosts": "a test file for each module, and the attempts to escape",
    "tests/management": "a test file for each command, and one for settings",
}


def python_files(folder: str) -> list[Path]:
    """The Python files below a folder of the repository."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def modules_of_layers(*layers: str) -> list[str]:
    """The modules of these layers, or of all, such as ``core/namespaces/delta.py``."""
    folders = [f"dashboard/{layer}" for layer in layers or LAYERS]
    paths = (path.relative_to(ROOT / "dashboard") for folder in folders for path in python_files(folder))
    return [str(path) for path in paths if not path.name.startswith("__") and path.parent.name not in TESTED_TOGETHER]


def own_test(module: str) -> Path:
    """The test file of a module: the same path below ``tests``."""
    path = Path(module)
    return ROOT / "tests" / path.parent / f"test_{path.name}"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_module_has_a_test_file_at_the_same_path(layer: str) -> None:
    modules = modules_of_layers(layer)
    assert modules
    for module in modules:
        test = own_test(module)
        if module in NO_OWN_TEST:
            assert not test.exists(), f"{module} has a test file: remove it from NO_OWN_TEST"
        else:
            assert test.exists(), f"write {test.relative_to(ROOT)}, or name in NO_OWN_TEST where {module} is tested"
            assert re.search(r"^\s*(async )?def test_", test.read_text(), re.MULTILINE), f"{test.name} has no test"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_test_file_belongs_to_a_module(layer: str) -> None:
    expected = {own_test(module) for module in modules_of_layers()} | {ROOT / "tests" / name for name in ACROSS_MODULES}
    files = set((ROOT / "tests" / layer).rglob("test_*.py"))
    assert files - expected == set() or layer == "launcher"


def test_exceptions_name_files_that_exist() -> None:
    assert set(NO_OWN_TEST) <= set(modules_of_layers())
    assert [name for name in ACROSS_MODULES if not (ROOT / "tests" / name).exists()] == []
    reasons = {**NO_OWN_TEST, **TESTED_TOGETHER, **ACROSS_MODULES, **LONGER, **LARGER}
    named = {path for reason in reasons.values() for path in re.findall(r"tests/[\w/]+\.py", reason)}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_a_module_is_short_or_has_a_reason() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files("dashboard")}
    long = {name: count for name, count in lines.items() if count > MAX_LINES}
    assert {name: count for name, count in long.items() if name not in LONGER} == {}, "split them by noun"
    assert set(LONGER) <= set(long), "remove what is short now from LONGER"


def folders_of_modules() -> list[str]:
    """The folders that hold code, templates or styles."""
    found = {
        path.parent.relative_to(ROOT)
        for top in ("dashboard", "templates", "static/dashboard", "tests")
        for suffix in ("py", "html", "js", "mjs", "css")
        for path in (ROOT / top).rglob(f"*.{suffix}")
        if "__pycache__" not in path.parts
    }
    return sorted(map(str, found))


def test_a_folder_holds_few_modules_or_has_a_reason() -> None:
    suffixes = {".py", ".html", ".js", ".mjs", ".css"}
    folders = folders_of_modules()
    assert set(LARGER) <= set(folders)
    for folder in folders:
        names = [path.name for path in (ROOT / folder).iterdir() if path.suffix in suffixes]
        count = len([name for name in names if not name.startswith(("__init__", "conftest"))])
        if folder in LARGER:
            assert count > MAX_MODULES or folder == "dashboard/migrations", f"{folder} is small: remove it from LARGER"
        else:
            assert count <= MAX_MODULES, f"{folder} holds {count} modules: divide it by subject"


def test_the_documented_tree_is_the_tree() -> None:
    tree = ARCHITECTURE.partition("<!-- tree -->")[2].partition("```")[2].partition("```")[0]
    documented: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in tree.splitlines():
        match = re.match(r"( *)([\w.-]+)/", line)
        if match is None:
            continue
        parents = [parent for parent in parents if parent[0] < len(match[1])]
        documented.append("/".join([*(name for _, name in parents), match[2]]))
        parents.append((len(match[1]), match[2]))
    packages = {
        str(path.parent.relative_to(ROOT / "dashboard"))
        for path in (ROOT / "dashboard").rglob("__init__.py")
        if "__pycache__" not in path.parts
    }
    real = {f"dashboard/{name}" if name != "." else "dashboard" for name in packages}
    assert sorted(name for name in documented if name.startswith("dashboard")) == sorted(real)
    assert all((ROOT / name).is_dir() for name in documented)


def test_the_documented_answers_name_code_that_exists() -> None:
    table = ARCHITECTURE.partition("<!-- where -->")[2].partition("\n\n#")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "`" in row]
    assert len(rows) >= 10
    for row in rows:
        path, *symbols = re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])
        assert (ROOT / path).exists(), row
        text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        assert [symbol for symbol in symbols if symbol not in text] == [], row


#: Tests in which something other than the test sleeps, and what it is.
SLEEPERS: dict[str, str] = {
    "latency/conftest.py": "a server that stalls, so that the stall is measured",
}
SLEEP = re.compile(r"\bsleep\s*\(")


def test_no_test_sleeps() -> None:
    sleeps: dict[str, list[str]] = {}
    for path in python_files("tests"):
        lines = [line.strip() for line in path.read_text().splitlines() if SLEEP.search(line)]
        if lines and path != Path(__file__).resolve():
            sleeps[str(path.relative_to(ROOT / "tests"))] = lines
    others = {name: lines for name, lines in sleeps.items() if name not in SLEEPERS}
    assert others == {}, "poll with a deadline: tests/support/polling.py"
    assert {name: len(lines) for name, lines in sleeps.items()} == dict.fromkeys(SLEEPERS, 1)


def test_no_script_test_waits_for_a_timer() -> None:
    for path in (ROOT / "tests" / "js").glob("*.mjs"):
        assert "setTimeout" not in path.read_text(), path.name


def test_the_launcher_is_executable() -> None:
    assert shutil.which(str(ROOT / "netmodes")) is not None
