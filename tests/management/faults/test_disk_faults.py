"""A server on a disk that fills up, and on a database that is damaged while it serves.

The data folder is a small tmpfs in a mount namespace of its own: nothing outside is filled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.management.conftest import used_before
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, share_lab_image
from tests.support.terminal import LONG_S, Done, Terminal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs requires root")
SIZE = "48m"


class SmallDisk(Terminal):
    """A terminal with a data folder on a small disk."""

    def __init__(self, environment: dict[str, str], folder: Path, data: Path, source: Path) -> None:
        super().__init__(environment, folder)
        self.data = data
        script = f"mount -t tmpfs -o size={SIZE},mode=0700 none {data} && cp -a {source}/. {data}/ && echo ready && cat"
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--"]

    def _command(self, *arguments: str) -> list[str]:
        return [*self._enter, *super()._command(*arguments)]

    def run(self, *arguments: str) -> Done:
        """Runs a command that sees the disk."""
        return self.run_from_the_start(*arguments)

    def shell(self, script: str) -> str:
        """Runs a shell script that sees the disk."""
        done = subprocess.run([*self._enter, "sh", "-c", script], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def fill(self, percent: int) -> None:
        """Writes a file until so much of the disk is used."""
        script = (
            f"set -- $(df -k --output=size,used {self.data} | tail -1);"
            f"n=$(( $1 * {percent} / 100 - $2 )); [ $n -gt 0 ] && head -c ${{n}}k /dev/zero >> {self.data}/fill"
        )
        self.shell(script)

    def close(self) -> None:
        super().close()
        self._holder.communicate(timeout=LONG_S)


@pytest.fixture
def disk(engine_host: PrivateEngine, tmp_path: Path, kept: Path) -> Iterator[SmallDisk]:
    source = used_before(tmp_path / "source", kept)
    (tmp_path / "data").mkdir()
    (tmp_path / "out").mkdir()
    environment = {**os.environ, "NETMODES_DATA_DIR": str(tmp_path / "data"), "DOCKER_HOST": engine_host.endpoint}
    share_lab_image(source)
    made = SmallDisk(environment, tmp_path / "out", tmp_path / "data", source)
    yield made
    made.close()
    shutil.rmtree(source)
    engine_host.leave_nothing()


def remains(host: PrivateEngine) -> list[str]:
    return engine_api.containers(host.endpoint) + engine_api.networks(host.endpoint)


def test_a_full_disk_refuses_launches_then_commands_and_ctrl_c_leaves_nothing(
    disk: SmallDisk, engine_host: PrivateEngine
) -> None:
    site = disk.serve().sign_in()
    one = site.launch("host", "user-bridge")
    site.reaches(one, "running")
    disk.fill(92)
    answer = site.post("/api/experiments", {"modes": ["none"]})
    assert (answer.status, "of the disk of the data folder is used" in answer.body) == (507, True), answer.body
    assert site.ask("GET", f"/experiments/{one}/").status == 200, "what runs goes on"
    disk.fill(100)
    disk.shell(f"cat /dev/zero > {disk.data}/more")
    done = disk.run("link")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert "is full" in done.err
    done = site.running.interrupt()
    assert "Traceback" not in done.err, done.err
    assert remains(engine_host) == [], done.err
    disk.shell(f"cat /dev/zero > {disk.data}/rest")  # what the server has given back at its end
    again = disk.run("up", "--port", "1")
    assert (again.code, "Traceback" in again.err) == (1, False), again.err


@pytest.mark.slow
def test_a_database_damaged_while_serving_is_reported_and_ctrl_c_leaves_nothing(
    disk: SmallDisk, engine_host: PrivateEngine
) -> None:
    site = disk.serve().sign_in()
    one = site.launch("host", "user-bridge")
    site.reaches(one, "running")
    database = disk.data / "netmodes.db"
    disk.shell(
        f"for f in {database} {database}-wal; do"
        " dd if=/dev/urandom of=$f bs=4096 count=$(( $(stat -c %s $f) / 4096 + 1 )) conv=notrunc; done"
    )

    def refused() -> bool:
        answer = site.post("/api/experiments", {"modes": ["none"]})
        assert answer.status == 503, answer.body
        return "damaged" in answer.body

    until(refused, 20.0)
    done = site.running.interrupt()
    assert "Traceback" not in done.err, done.err
    assert remains(engine_host) == [], done.err
