"""Private hosts on the real machine: they start, behave as complete machines, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dashboard.engine.hosts import disk, private_host, programs
from dashboard.engine.hosts.cleanup import cgroup_folders, container_processes, engine_processes
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS, RUN, PrivateHost, PrivateHostError
from dashboard.engine.hosts.programs import missing_requirement
from tests.support.polling import eventually, until
from tests.support.private_engine import PrivateEngine, load_lab_image

pytestmark = pytest.mark.engine


def programs_named(name: str, host: PrivateHost) -> list[int]:
    """The pids of the programs of a host with this name."""
    found = []
    for pid in engine_processes(host.name):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            if Path(f"/proc/{pid}/comm").read_text() == f"{name}\n":
                found.append(pid)
    return found


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder. At the end, hosts that a failed test left running in it are removed."""
    yield tmp_path
    asyncio.run(private_host.stop_all(tmp_path))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    """A running host that tests leave unchanged."""
    folder = tmp_path_factory.mktemp("host")
    yield asyncio.run(private_host.start(folder))
    asyncio.run(private_host.stop_all(folder))


def remains(host: PrivateHost) -> list[object]:
    """The processes, mounts and files of a host that still exist on this machine."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{host.id}" in line]
    loops = [host.disk] if disk.is_attached(host.disk) else []
    files = [path for path in (host.folder, RUN / host.id, Path("/run/netns") / host.name) if path.exists()]
    return [
        *engine_processes(host.name),
        *container_processes(host.name),
        *cgroup_folders(host.name),
        *mounts,
        *loops,
        *files,
    ]


def test_changes_by_a_container_beside_the_socket_while_the_engine_started_are_undone(data_dir: Path) -> None:
    """The engine starts containers again before it answers. The folder belongs to root of the host until then."""

    async def run() -> PrivateHost:
        host = await private_host.start(data_dir)
        await load_lab_image(host)
        machine = PrivateEngine(host, data_dir)
        folder = RUN / host.id
        script = "chmod 0777 /beside; mkdir -p /beside/more/deep; touch /beside/file /beside/more/deep/file; sleep 600"
        options = (
            "--detach",
            "--restart",
            "always",
            "--volume",
            f"{folder}:/beside",
            "--user",
            "0",
            "--entrypoint",
            "sh",
        )
        machine.docker("run", *options, "nginx", "-c", script)
        before = {path.name for path in folder.iterdir()}
        assert "file" not in before, "root of the host cannot write there"
        os.kill(host.pid, signal.SIGKILL)
        await eventually(lambda: not host.is_running())
        again = await private_host.start_again(host)
        assert folder.stat().st_uid == 0
        assert folder.stat().st_mode & 0o777 == 0o711
        assert {path.name for path in folder.iterdir()} == before
        return again

    assert asyncio.run(run()).is_running()


def test_a_host_is_a_machine_of_its_own(host: PrivateHost) -> None:
    machine = PrivateEngine(host, host.folder.parent.parent)
    assert Path(f"/proc/{host.pid}/ns/net").stat().st_ino == host.netns
    assert host.netns != Path("/proc/self/ns/net").stat().st_ino
    assert machine.on_machine("cat", "/proc/sys/kernel/hostname").strip() == host.name
    assert f"inet {MACHINE_ADDRESS}/24" in machine.on_machine("ip", "address", "show", "eth0")
    assert "default via 192.0.2.1 dev eth0" in machine.on_machine("ip", "route")
    assert f"{MACHINE_ADDRESS}\t{host.name}" in machine.on_machine("cat", "/etc/hosts")
    assert machine.on_machine("cat", "/etc/resolv.conf") == (host.folder / "etc" / "resolv.conf").read_text()
    assert machine.docker("info", "--format", "{{.Name}}") == host.name
    assert len(host.socket.encode()) < 108


@pytest.mark.slow
def test_two_hosts_each_serve_port_80_in_host_mode(data_dir: Path) -> None:
    async def both() -> tuple[PrivateHost, PrivateHost]:
        one, two = await asyncio.gather(private_host.start(data_dir), private_host.start(data_dir))
        await asyncio.gather(load_lab_image(one), load_lab_image(two))
        return one, two

    for host in asyncio.run(both()):
        machine = PrivateEngine(host, data_dir)
        machine.docker("run", "-d", "--network", "host", "nginx")
        page = until(lambda: machine.on_machine("curl", "-s", f"http://{MACHINE_ADDRESS}/"))  # noqa: B023
        assert host.name in page
    assert len(private_host.list_hosts(data_dir)) == 2
    asyncio.run(private_host.stop_all(data_dir))
    assert private_host.list_hosts(data_dir) == ()


def test_nothing_remains_of_a_stopped_host_whatever_ran_on_it(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir))
    asyncio.run(load_lab_image(host))
    machine = PrivateEngine(host, data_dir)
    machine.docker("network", "create", "own")
    machine.docker("run", "-d", "-p", "80:80", "nginx")
    machine.docker("run", "-d", "--network", "own", "nginx")
    machine.docker("run", "-d", "--network", "host", "nginx", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    machine.docker("pause", machine.docker("run", "-d", "nginx"))
    until(lambda: len(container_processes(host.name)) >= 6)
    assert cgroup_folders(host.name)
    asyncio.run(private_host.stop(host))
    assert remains(host) == []


def test_a_killed_engine_with_living_containers_is_removed_by_the_next_start(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir))
    asyncio.run(load_lab_image(host))
    PrivateEngine(host, data_dir).docker("run", "-d", "nginx")
    os.kill(host.pid, signal.SIGKILL)
    until(lambda: not host.is_running())
    if host.owner:
        until(lambda: not container_processes(host.name))  # the host's process 1 ended, and with it its namespace
    else:
        assert container_processes(host.name)
    assert private_host.list_hosts(data_dir) == ()
    assert asyncio.run(private_host.adopt(data_dir)) == ()
    os.waitpid(host.launcher, 0) if Path(f"/proc/{host.launcher}").exists() else None
    assert remains(host) == []


def test_a_running_host_is_adopted_after_a_restart(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir, "adopted"))
    assert private_host.list_hosts(data_dir) == (host,)
    assert asyncio.run(private_host.adopt(data_dir)) == (host,)
    asyncio.run(private_host.stop(host))
    assert remains(host) == []


def test_a_record_whose_pid_belongs_to_another_process_now_is_no_host(data_dir: Path) -> None:
    folder = data_dir / "hosts" / "reused"
    folder.mkdir(parents=True)
    record = {"pid": os.getpid(), "ticks": 1, "netns": 1, "socket": "/nowhere", "started": 0.0, "ready": True}
    (folder / "host.json").write_text(json.dumps(record))
    assert private_host.list_hosts(data_dir) == ()
    assert asyncio.run(private_host.adopt(data_dir)) == ()
    assert not folder.exists()


@pytest.mark.parametrize("record", ["", "[]", "{", '{"pid": "x"}', '{"ready": true, "pid": null}'])
def test_a_damaged_record_is_removed_without_a_fault(data_dir: Path, record: str) -> None:
    folder = data_dir / "hosts" / "damaged"
    folder.mkdir(parents=True)
    (folder / "host.json").write_text(record)
    assert private_host.list_hosts(data_dir) == ()
    assert asyncio.run(private_host.adopt(data_dir)) == ()
    assert not folder.exists()


def test_a_host_that_is_being_started_is_left_alone(data_dir: Path) -> None:
    async def meanwhile() -> PrivateHost:
        starting = asyncio.create_task(private_host.start(data_dir, "slow"))
        await eventually((data_dir / "hosts" / "slow" / "host.json").exists)
        await private_host.adopt(data_dir)
        return await starting

    assert asyncio.run(meanwhile()).is_running()


@pytest.mark.parametrize("setup", ["", "firewalld"])
def test_a_host_dies_with_the_process_that_started_it(data_dir: Path, setup: str) -> None:
    if problem := missing_requirement(setup=setup):
        pytest.skip(problem)
    program = f"""
        import asyncio, pathlib, signal
        from dashboard.engine.hosts import disk, private_host
        folder = pathlib.Path({str(data_dir)!r})
        host = asyncio.run(private_host.start(folder, "tied", die_with_parent=True, setup={setup!r}))
        print("ready", flush=True)
        signal.pause()
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    (host,) = private_host.list_hosts(data_dir)
    assert not setup or programs_of(host)
    child.kill()
    child.communicate()
    until(lambda: not host.is_running())
    until(lambda: not programs_of(host))
    asyncio.run(private_host.adopt(data_dir))
    assert remains(host) == []


def test_the_script_of_a_setup_may_have_a_blank_in_its_path(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = data_dir / "My Projects"
    scripts.mkdir()
    (scripts / "mark.sh").write_text('echo "$setup" > "$folder/mark"\n')
    monkeypatch.setattr(programs, "SETUPS", scripts)
    host = asyncio.run(private_host.start(data_dir, setup="mark-this"))
    assert (host.folder / "mark").read_text() == "mark-this\n"


def programs_of(host: PrivateHost) -> list[str]:
    """The firewall of the host, and the bus on which it answers."""
    pattern = f"^(dbus-daemon|[^ ]+ ?[^ ]*/firewalld) .*{host.folder}"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, check=False)
    return found.stdout.decode().split()


def test_a_failed_start_gives_the_reason_and_leaves_nothing(data_dir: Path) -> None:
    with pytest.raises(PrivateHostError, match=r"exited at once\. Its last message: .*(nonsense|not supported)"):
        asyncio.run(private_host.start(data_dir, "broken", daemon={"storage-driver": "nonsense"}))
    assert not (data_dir / "hosts" / "broken").exists()
    assert not (RUN / "broken").exists()
    assert engine_processes("netmodes-broken") == []
    assert cgroup_folders("netmodes-broken") == []


def test_a_cancelled_start_leaves_nothing(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_socket: str) -> bool:
        return False

    # Otherwise the start could end before its processes are seen.
    monkeypatch.setattr(programs, "answers", never)

    async def cancel() -> None:
        starting = asyncio.create_task(private_host.start(data_dir, "cancelled"))
        await eventually(lambda: engine_processes("netmodes-cancelled"))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(cancel())
    assert engine_processes("netmodes-cancelled") == []
    assert not (data_dir / "hosts" / "cancelled").exists()


@pytest.mark.parametrize("identity", ["", "UPPER", "../up", "a/b", "x" * 13])
def test_an_id_that_is_no_id_is_refused(data_dir: Path, identity: str) -> None:
    with pytest.raises(PrivateHostError, match="1 to 12 lower-case"):
        asyncio.run(private_host.start(data_dir, identity))


def test_an_id_that_is_taken_is_refused_and_the_host_keeps_running(host: PrivateHost) -> None:
    with pytest.raises(PrivateHostError, match="exists"):
        asyncio.run(private_host.start(host.folder.parent.parent, host.id))
    assert host.is_running()


def test_the_files_of_a_host_are_for_root_only(host: PrivateHost) -> None:
    assert host.folder.stat().st_mode & 0o077 == 0
    assert (host.folder / "host.json").stat().st_mode & 0o077 == 0


def test_the_engine_takes_options_for_its_daemon(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir, daemon={"userland-proxy": False}))
    asyncio.run(load_lab_image(host))
    machine = PrivateEngine(host, data_dir)
    machine.docker("run", "-d", "-p", "8080:80", "nginx")
    listeners = machine.on_machine("ss", "-Hltnp", "sport = :8080")
    assert "dockerd" in listeners
    assert "docker-proxy" not in listeners
    assert "[::]" not in listeners


def test_a_containerd_that_ends_is_started_again(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir))
    asyncio.run(load_lab_image(host))
    machine = PrivateEngine(host, data_dir)
    (first,) = programs_named("containerd", host)
    os.kill(first, signal.SIGTERM)
    until(lambda: programs_named("containerd", host) not in ([], [first]))
    until(lambda: machine.try_docker("run", "--rm", "nginx", "echo", "started").stdout == "started\n")


def test_an_engine_whose_containerd_does_not_start_gives_its_reason(data_dir: Path) -> None:
    async def run() -> None:
        host = await private_host.start(data_dir, is_disk_limited=False, runtime="user-namespace")
        await private_host.end_engine(host)
        shutil.rmtree(host.data / "containerd")
        (host.data / "containerd").write_text("a file")
        try:
            await private_host.start_again(host)
        finally:
            await private_host.stop(host)

    with pytest.raises(PrivateHostError, match=r"exited at once\. Its last message: .*not a directory"):
        asyncio.run(run())


def test_users_of_containers_can_be_remapped(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir, daemon={"userns-remap": "nobody:nogroup"}))
    asyncio.run(load_lab_image(host))
    machine = PrivateEngine(host, data_dir)
    assert machine.docker("run", "--rm", "nginx", "cat", "/proc/self/uid_map").split() == ["0", "231072", "65536"]
    asyncio.run(private_host.stop(host))
    assert remains(host) == []


def test_a_container_mounts_a_program_of_the_host(engine_host: PrivateEngine) -> None:
    assert engine_host.docker("run", "--rm", "--init", "nginx", "echo", "started") == "started"
    assert "docker" in engine_host.docker("run", "--rm", "-v", "/usr/bin:/programs:ro", "nginx", "ls", "/programs")


@pytest.mark.slow
def test_overlay_works_on_a_private_host_after_swarm_init(data_dir: Path) -> None:
    host = asyncio.run(private_host.start(data_dir))
    asyncio.run(load_lab_image(host))
    machine = PrivateEngine(host, data_dir)
    words = machine.refusal("network", "create", "-d", "overlay", "--attachable", "too-early")
    assert "not a swarm manager" in words
    machine.docker("swarm", "init", "--advertise-addr", MACHINE_ADDRESS)
    machine.docker("network", "create", "-d", "overlay", "--attachable", "wide")
    machine.docker("run", "-d", "--name", "server", "--network", "wide", "nginx")
    request = ("run", "--rm", "--network", "wide", "nginx", "wget", "-T", "5", "-qO-", "http://server/")
    until(lambda: "<!doctype html>" in machine.try_docker(*request).stdout)
    asyncio.run(private_host.stop(host))
    assert remains(host) == []
