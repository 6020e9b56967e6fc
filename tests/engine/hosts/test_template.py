"""Two hosts of one template: they share it, are limited, and cannot harm each other."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import disk, preparation, private_host
from dashboard.engine.hosts import template as host_templates
from dashboard.engine.hosts.cleanup import MARKER, engine_processes
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.runtimes import Runtime
from dashboard.engine.hosts.template import HostTemplate, host_template
from tests.support.polling import DEADLINE_S, until
from tests.support.private_engine import PrivateEngine

pytestmark = pytest.mark.engine
LIMITS = HostLimits(memory_mb=256, pids=64, cpus=1.0)
#: Where a workshop's server answers in host mode.
ASK = ("curl", "-s", "-m", "5", "http://127.0.0.1/")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hosts of one template."""

    template: HostTemplate
    one: PrivateEngine
    two: PrivateEngine


@pytest.fixture(scope="module")
def pair(session_hosts_folder: Path) -> Iterator[Pair]:
    """Started once for the module; every test leaves both hosts unchanged."""
    folder = session_hosts_folder

    async def start() -> Pair:
        template = await host_template(folder)
        hosts = [
            private_host.start(folder, limits=LIMITS, template=template, group=f"class-{number}") for number in (1, 2)
        ]
        return Pair(template, *(PrivateEngine(host, folder) for host in await asyncio.gather(*hosts)))

    try:
        yield asyncio.run(start())
    finally:
        asyncio.run(private_host.stop_all(folder))


def clean(*machines: PrivateEngine) -> None:
    """Removes every container."""
    for machine in machines:
        found = machine.docker("ps", "-aq").split()
        if found:
            machine.docker("rm", "-f", "-v", *found)


def test_both_hosts_serve_port_80_and_see_only_their_own_containers(pair: Pair) -> None:
    for name, machine in (("first", pair.one), ("second", pair.two)):
        machine.docker("run", "-d", "--name", name, "--network", "host", "nginx")
    for name, machine in (("first", pair.one), ("second", pair.two)):
        assert machine.host.name in until(lambda: machine.on_machine(*ASK))  # noqa: B023
        assert machine.docker("ps", "--format", "{{.Names}}") == name
    clean(pair.one, pair.two)


def test_a_privileged_host_in_a_folder_with_a_blank_in_its_path_has_the_images(pair: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "My Projects"
    template = replace(pair.template, folder=folder / "template")
    pair.template.copy_to(template.folder, with_layers=True)
    try:
        host = asyncio.run(private_host.start(folder, template=template, runtime=Runtime.PRIVILEGED))
        assert PrivateEngine(host, folder).docker("run", "--rm", "nginx", "echo", "started") == "started"
    finally:
        asyncio.run(private_host.stop_all(folder))


def test_everything_on_a_new_disk_belongs_to_the_host(pair: Pair) -> None:
    for host in (pair.one.host, pair.two.host):
        top = Path(f"/proc/{host.pid}/root{host.data}")
        places = [top, *(Path(place, name) for place, folders, files in os.walk(top) for name in (*folders, *files))]
        owners = set()
        for place in (place for place in places if "diff" not in place.parts):
            with suppress(FileNotFoundError):  # the engine has removed it meanwhile
                owners.add(place.lstat().st_uid)
        assert owners == {host.owner}
        assert host.disk.stat().st_size == disk.size_mb() << 20


def test_the_disk_of_the_template_is_created_once_for_each_size(tmp_path: Path) -> None:
    template = HostTemplate(tmp_path / "host-template-1", ("overlay2/1/diff",))
    (template.folder / template.layers[0]).mkdir(parents=True)
    (template.folder / template.layers[0] / "layer").write_text("not copied")
    (template.folder / "kept").write_text("copied")
    first = template.disk_image(64)
    created = first.stat()
    assert (template.disk_image(64), first.stat().st_ino) == (first, created.st_ino)
    second = template.disk_image(300)
    assert (second, second.stat().st_size) == (first, 300 << 20)
    data = tmp_path / "data"
    data.mkdir()

    def read() -> tuple[str, list[Path]]:
        return (data / "kept").read_text(), list((data / template.layers[0]).iterdir())

    assert disk.on_disk(second, data, read) == ("copied", [])


def test_a_host_on_which_a_killed_server_prepared_the_template_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, left = tmp_path / "cache" / "host-template-1", tmp_path / "cache" / "host-template-new-1"
    (finished / "overlay2/1/diff").mkdir(parents=True)
    identity = secrets.token_hex(6)
    (left / "hosts" / identity).mkdir(parents=True)
    monkeypatch.setattr(host_templates, "_place", lambda _data_dir: finished)
    engine = subprocess.Popen(["sleep", "60"], env={MARKER: f"netmodes-{identity}"}, start_new_session=True)
    try:
        until(lambda: engine_processes(f"netmodes-{identity}") == [engine.pid])  # the variable is there after exec
        assert asyncio.run(host_template(tmp_path)).folder == finished
        assert engine.wait(DEADLINE_S) in {-signal.SIGKILL, 0}, "0: its status has been collected already"
    finally:
        engine.kill()
        engine.wait()
    assert list(finished.parent.iterdir()) == [finished]


def test_the_image_is_on_the_disk_once(pair: Pair) -> None:
    (layer,) = pair.template.layers
    assert any((pair.template.folder / layer).iterdir())
    for machine in (pair.one, pair.two):
        assert machine.host.disk.stat().st_blocks * 512 < 8 << 20
    ids = [machine.docker("info", "--format", "{{.ID}}") for machine in (pair.one, pair.two)]
    assert ids[0] != ids[1]


def test_writes_and_removals_on_one_host_do_not_change_another(pair: Pair) -> None:
    before = sorted(str(path) for path in pair.template.folder.rglob("*"))
    pair.one.docker("run", "--name", "writer", "nginx", "sh", "-c", "echo mine > /bin/serve; rm /etc/passwd")
    pair.one.docker("commit", "writer", "mine")
    clean(pair.one)
    pair.one.docker("rmi", "-f", "mine", "nginx", "netmodes-lab:1")
    assert pair.one.docker("images", "-q") == ""
    assert sorted(str(path) for path in pair.template.folder.rglob("*")) == before
    assert pair.two.docker("run", "--rm", "nginx", "cat", "/bin/serve") != "mine"
    layer = pair.two.host.data / pair.template.layers[0]
    assert pair.two.try_on_machine("touch", str(layer / "new")).returncode != 0
    asyncio.run(private_host.stop(pair.one.host))
    again = asyncio.run(
        private_host.start(pair.one.data_dir, pair.one.host.id, limits=LIMITS, template=pair.template, group="class-1")
    )
    pair.one.host, pair.one.pid = again, again.pid
    assert "nginx" in pair.one.docker("images", "--format", "{{.Repository}}")


def test_a_memory_hog_is_killed_inside_its_host_only(pair: Pair) -> None:
    pair.two.docker("run", "-d", "--name", "neighbour", "nginx")
    hog = pair.one.try_docker("run", "--name", "hog", "nginx", "sh", "-c", "tail /dev/zero")
    assert hog.returncode == 137
    assert pair.one.host.is_running()
    assert pair.one.docker("run", "--rm", "nginx", "echo", "still here") == "still here"
    assert pair.two.inspect("neighbour", "{{.State.Running}}") == "true"
    clean(pair.one, pair.two)


def test_a_fork_bomb_is_stopped_and_the_engine_still_answers(pair: Pair) -> None:
    counting = "n=0; while :; do sleep 60 & n=$((n+1)); echo $n; done"
    bomb = pair.one.try_docker("run", "--name", "bomb", "nginx", "sh", "-c", counting)
    assert "can't fork" in bomb.stderr
    assert LIMITS.pids // 2 < int(bomb.stdout.split()[-1]) < LIMITS.pids
    assert pair.one.docker("ps", "-aq")
    assert pair.two.docker("run", "--rm", "nginx", "echo", "fine") == "fine"
    clean(pair.one)


def test_an_engine_that_was_killed_starts_again_with_what_was_there(pair: Pair) -> None:
    pair.two.docker("run", "-d", "--name", "kept", "nginx")
    os.kill(pair.two.host.pid, signal.SIGKILL)
    until(lambda: not pair.two.host.is_running())
    asyncio.run(private_host.adopt(pair.two.data_dir))
    again = asyncio.run(private_host.start_again(pair.two.host, LIMITS))
    pair.two.host, pair.two.pid = again, again.pid
    assert pair.two.docker("ps", "-a", "--format", "{{.Names}} {{.State}}") == "kept exited"
    pair.two.docker("start", "kept")
    clean(pair.two)


def test_where_layers_cannot_be_shared_a_host_runs_containers_from_its_copy(
    session_hosts_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "sharing_refusal", lambda _folder: "not permitted")

    async def start() -> tuple[HostTemplate, PrivateHost]:
        template = await host_template(session_hosts_folder)
        return template, await private_host.start(
            session_hosts_folder, template=template, runtime=Runtime.USER_NAMESPACE
        )

    template, host = asyncio.run(start())
    try:
        for layer in template.layers:
            copy = Path(f"/proc/{host.pid}/root{host.data}", layer)
            assert any(copy.iterdir())
            assert copy.stat().st_uid == host.owner
        machine = PrivateEngine(host, session_hosts_folder)
        assert machine.docker("run", "--rm", "--network", "none", "nginx", "echo", "runs") == "runs"
    finally:
        asyncio.run(private_host.stop(host))
