"""Limits of a private host: written for both cgroup hierarchies, and enforced by the kernel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from dashboard.core.experiments.launch import container_config
from dashboard.core.modes import ArmSpec, Mode
from dashboard.core.training.capacity import HostLimits
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.limits import (
    DelegatedCgroups,
    make_cgroups,
    make_delegated_cgroups,
    missing_controllers,
    processes,
    read_cpus,
    shell_files,
)
from dashboard.engine.hosts.runtimes import Runtime
from tests.support.engines.unified_host import COMMAND
from tests.support.private_engine import load_lab_image

LIMITS = HostLimits(memory_mb=256, pids=100, cpus=0.5)
MB = 1 << 20


def written(root: Path) -> dict[str, str]:
    """The content of each file that was written."""
    return {
        str(one.relative_to(root)): one.read_text() for one in root.rglob("*") if one.is_file() and one.stat().st_size
    }


def hierarchy(root: Path, *files: str) -> None:
    """Makes a hierarchy with empty files in place of those of the kernel."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def unified_root(root: Path, controllers: str = "cpuset cpu io memory pids") -> None:
    """Makes a unified hierarchy with these controllers."""
    (root / "cgroup.controllers").write_text(f"{controllers}\n")


def test_every_hierarchy_of_version_1_gets_its_limits(tmp_path: Path) -> None:
    hierarchy(tmp_path, "cpu/host/cpu.cfs_period_us", "cpu/host/cpu.cfs_quota_us")
    for part in ("host", "host/containers"):
        hierarchy(tmp_path, f"memory/{part}/memory.limit_in_bytes", f"pids/{part}/pids.max")
    engine = make_cgroups("host", LIMITS, tmp_path)
    assert written(tmp_path) == {
        "cpu/host/cpu.cfs_period_us": "100000",
        "cpu/host/cpu.cfs_quota_us": "50000",
        "memory/host/memory.limit_in_bytes": str(256 * MB),
        "memory/host/containers/memory.limit_in_bytes": str(160 * MB),
        "pids/host/pids.max": "612",
        "pids/host/containers/pids.max": "100",
    }
    assert engine == tuple(str(tmp_path / one / "host/engine/cgroup.procs") for one in ("cpu", "memory", "pids"))
    assert len(shell_files("host", tmp_path)) == 3
    assert read_cpus("host", tmp_path) == 0.5


def test_the_unified_hierarchy_delegates_before_it_limits(tmp_path: Path) -> None:
    unified_root(tmp_path)
    hierarchy(tmp_path, *(f"host/{one}" for one in ("cpu.max", "memory.max", "memory.swap.max", "pids.max")))
    hierarchy(tmp_path, *(f"host/containers/{one}" for one in ("memory.max", "memory.swap.max", "pids.max")))
    assert make_cgroups("host", LIMITS, tmp_path) == (str(tmp_path / "host/engine/cgroup.procs"),)
    found = written(tmp_path)
    assert {one for one in found if one.endswith("subtree_control")} == {
        "cgroup.subtree_control",
        "host/cgroup.subtree_control",
        "host/containers/cgroup.subtree_control",
    }
    assert found["host/cpu.max"] == "50000 100000"
    assert read_cpus("host", tmp_path) == 0.5
    (tmp_path / "host/cpu.max").write_text("max 100000\n")
    assert read_cpus("host", tmp_path) == 0.0
    assert read_cpus("none", tmp_path) == 0.0
    assert found["host/containers/memory.max"] == str(160 * MB)
    assert (found["host/pids.max"], found["host/containers/pids.max"]) == ("612", "100")


def test_without_limits_the_parts_are_made_all_the_same(tmp_path: Path) -> None:
    hierarchy(tmp_path, "pids/pids.max")
    make_cgroups("host", None, tmp_path)
    assert written(tmp_path) == {}
    assert (tmp_path / "pids/host/containers/shell").is_dir()


OWNER = 524288
#: The files of a cgroup that a host moves processes with, and those of its limits.
PROCESS_FILES = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
UNIFIED_FILES = (*PROCESS_FILES, "cpu.max", "memory.max", "memory.swap.max", "pids.max")
EVERY_PART = ("host", "host/engine", "host/containers", "host/containers/shell")


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[str]:
    """The files that were given to the host's root."""
    found: set[str] = set()

    def chown(path: Path, uid: int, gid: int) -> None:
        assert path.exists()
        assert (uid, gid) == (OWNER, OWNER)
        found.add(str(path.relative_to(tmp_path)))

    monkeypatch.setattr("dashboard.engine.hosts.limits.os.chown", chown)
    return found


def test_a_delegated_cgroup_of_the_unified_hierarchy_is_limited_after_its_first_process_has_left(
    tmp_path: Path, owned: set[str]
) -> None:
    unified_root(tmp_path)
    hierarchy(tmp_path, *(f"{part}/{one}" for part in EVERY_PART for one in UNIFIED_FILES))
    made = make_delegated_cgroups("host", LIMITS, OWNER, tmp_path)
    assert made.tops == (tmp_path / "host",)
    # Every limit outside the part that the host controls, and at its top, which stays the machine's.
    assert written(tmp_path) == {
        "cgroup.controllers": "cpuset cpu io memory pids\n",
        "cgroup.subtree_control": "+pids",
        "host/cpu.max": "50000 100000",
        "host/memory.max": str(256 * MB),
        "host/memory.swap.max": "0",
        "host/pids.max": "612",
    }
    assert [(str(file.relative_to(tmp_path / "host")), value) for file, value in made.later] == [
        *(("cgroup.subtree_control", f"+{controller}") for controller in ("cpu", "memory", "pids")),
        *(("containers/cgroup.subtree_control", f"+{controller}") for controller in ("cpu", "memory", "pids")),
        ("containers/memory.max", str(160 * MB)),
        ("containers/memory.swap.max", "0"),
        ("containers/pids.max", "100"),
    ]
    parts = ("host/containers", "host/containers/shell")
    assert owned == {*parts, *(f"{part}/{one}" for part in parts for one in PROCESS_FILES), "host/cgroup.procs"}


def test_a_host_has_a_delegated_cgroup_in_every_hierarchy_of_version_1(tmp_path: Path, owned: set[str]) -> None:
    names = ("cpu", "cpuset", "devices", "memory", "pids", "systemd")
    hierarchy(tmp_path, *(f"{name}/release_agent" for name in names), "notes/readme")
    (tmp_path / "cpuacct").symlink_to("cpu")
    hierarchy(
        tmp_path,
        *(f"{name}/{part}/{one}" for name in names for part in EVERY_PART for one in ("tasks", "cgroup.procs")),
    )
    hierarchy(tmp_path, "cpu/host/cpu.cfs_period_us", "cpu/host/cpu.cfs_quota_us")
    hierarchy(tmp_path, *(f"memory/{part}/memory.limit_in_bytes" for part in ("host", "host/containers")))
    hierarchy(tmp_path, *(f"pids/{part}/pids.max" for part in ("host", "host/containers")))
    hierarchy(tmp_path, *(f"cpuset/{part}/cpuset.{one}" for part in EVERY_PART for one in ("cpus", "mems")))
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    made = make_delegated_cgroups("host", LIMITS, OWNER, tmp_path)
    assert made.tops == tuple(tmp_path / name / "host" for name in names)
    assert made.later == ()
    found = written(tmp_path)
    for part in EVERY_PART:
        assert (found.pop(f"cpuset/{part}/cpuset.cpus"), found.pop(f"cpuset/{part}/cpuset.mems")) == ("0-1\n", "0\n")
    assert found == {
        "cpuset/cpuset.cpus": "0-1\n",
        "cpuset/cpuset.mems": "0\n",
        "cpu/host/cpu.cfs_period_us": "100000",
        "cpu/host/cpu.cfs_quota_us": "50000",
        "memory/host/memory.limit_in_bytes": str(256 * MB),
        "memory/host/containers/memory.limit_in_bytes": str(160 * MB),
        "pids/host/pids.max": "612",
        "pids/host/containers/pids.max": "100",
    }
    parts = ("host/containers", "host/containers/shell")
    files = ("", "/tasks", "/cgroup.procs")
    assert owned == {f"{name}/{part}{file}" for name in names for part in parts for file in files}


def test_a_delegated_cgroup_without_limits_has_none(tmp_path: Path, owned: set[str]) -> None:
    unified_root(tmp_path)
    hierarchy(tmp_path, *(f"{part}/{one}" for part in EVERY_PART for one in UNIFIED_FILES))
    made = make_delegated_cgroups("host", None, OWNER, tmp_path)
    assert {file.name for file, _ in made.later} == {"cgroup.subtree_control"}
    assert set(written(tmp_path)) == {"cgroup.controllers", "cgroup.subtree_control"}
    assert owned


def test_controllers_that_the_machine_lacks_are_listed(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    assert missing_controllers(tmp_path) == ("memory", "pids")
    unified_root(tmp_path, "cpuset pids")
    assert missing_controllers(tmp_path) == ("cpu", "memory")


@pytest.mark.parametrize("make", [make_cgroups, partial(make_delegated_cgroups, owner=OWNER)])
def test_only_a_controller_that_the_machine_lacks_is_omitted(
    make: Callable[..., object], tmp_path: Path, owned: set[str]
) -> None:
    """The parent cgroup delegates no controllers if it has processes; then the files of the limits are missing."""
    unified_root(tmp_path, "hugetlb")
    made = make("host", LIMITS, root=tmp_path)
    if isinstance(made, DelegatedCgroups):
        assert made.later == ()
    unified_root(tmp_path, "memory")
    with pytest.raises(OSError, match="does not delegate the controller memory"):
        make("host", LIMITS, root=tmp_path)


@pytest.mark.parametrize(("part", "expected"), [("", [1, 2, 3]), ("containers", [2, 3])])
def test_processes_are_found_by_part(tmp_path: Path, part: str, expected: list[int]) -> None:
    for folder, text in (("engine", "1\n"), ("containers/abc", "2\n3\n"), ("containers", "")):
        hierarchy(tmp_path, f"pids/host/{folder}/cgroup.procs")
        (tmp_path / f"pids/host/{folder}/cgroup.procs").write_text(text)
    assert sorted(processes("host", part, tmp_path)) == expected


def _cgroups_of(name: str) -> list[str]:
    """The cgroups of each process of a host, as in cgroups(7). A process may end meanwhile, for example runc."""
    found = []
    for pid in processes(name):
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{pid}/cgroup").read_text())
    return found


@pytest.mark.engine
@pytest.mark.parametrize("runtime", Runtime)
async def test_a_container_starts_within_the_limits_of_a_host_with_half_a_core(
    tmp_path: Path, runtime: Runtime
) -> None:
    """The kernel refuses a quota above that of the cgroup around it (cgroup v1, tg_cfs_schedulable_down)."""
    host = await private_host.start(tmp_path, die_with_parent=True, limits=LIMITS, runtime=runtime)
    engine = DockerEngine(host.endpoint, timeout_s=30)
    try:
        await load_lab_image(host)
        arm = ArmSpec("none", Mode.NONE, image="nginx")
        config = container_config(arm, name="half", labels={}, cpus=read_cpus(host.name))
        created = await engine.create_container("half", config)
        await engine.start_container(created.id)
        assert any(f"/{host.name}/containers/{created.id}" in lines for lines in _cgroups_of(host.name))
    finally:
        await engine.close()
        await private_host.stop(host)


@pytest.mark.engine
def test_a_host_runs_on_the_unified_hierarchy_alone(tmp_path: Path) -> None:
    """Uses a real hierarchy, in a mount namespace: it shows what a fake tree cannot, such as missing controllers."""
    if "cgroup2" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no unified hierarchy")
    done = subprocess.run([*COMMAND, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"] == "2"
    assert "permission denied" in found["parent"]
    # With controllers the kernel permits no process in the topmost cgroup (no internal processes); without, it does.
    moved, inside = found["places"]
    assert moved == "" or moved.startswith("/containers/")
    assert inside.startswith("/containers/")
