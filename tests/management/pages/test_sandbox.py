"""The sandbox of the web process, with real programs inside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dashboard import configuration
from dashboard.engine.mountinfo import Mount
from dashboard.management.pages import sandbox
from tests.support.workers import mounts

UID = 65530
pytestmark = pytest.mark.engine  # needs root

#: Prints what the program inside can do, as JSON.
PROBE = """
import ctypes, json, os, socket, sys
def may(path, mode):
    try:
        os.close(os.open(path, mode))
    except OSError as error:
        return error.strerror
    return ""
def attempt(action):
    try:
        action()
    except OSError as error:
        return error.strerror
    return ""
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
shown, hidden, data, listening = sys.argv[1:]
print(json.dumps({
    "uid": status["Uid"].split(), "groups": status["Groups"].split(), "nnp": status["NoNewPrivs"].strip(),
    "caps": sorted({status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}),
    "root": sorted(os.listdir("/")), "dev": sorted(os.listdir("/dev")), "data": sorted(os.listdir(data)),
    "pids": [name for name in os.listdir("/proc") if name.isdigit()] == [str(os.getpid())],
    "shown": may(shown, os.O_RDONLY), "written": may(shown, os.O_WRONLY), "hidden": may(hidden, os.O_RDONLY),
    "key": may(data + "/secret.key", os.O_RDONLY), "database": may(data + "/netmodes.db", os.O_RDWR),
    "created": may(data + "/new", os.O_CREAT | os.O_WRONLY), "temporary": may("/tmp/new", os.O_CREAT | os.O_WRONLY),
    "docker": may("/var/run/docker.sock", os.O_RDONLY), "environ": may("/proc/1/environ", os.O_RDONLY),
    "shadow": may("/etc/shadow", os.O_RDONLY), "null": may("/dev/null", os.O_RDWR),
    "root_again": attempt(lambda: os.setuid(0)), "here": os.getcwd(), "variables": sorted(os.environ),
    "abstract": attempt(lambda: socket.socket(socket.AF_UNIX).connect("\\0" + listening)),
    "datagrams": attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "internet": attempt(lambda: [socket.socket(socket.AF_INET), socket.socket(socket.AF_INET6), socket.socketpair()]),
    "lookup": attempt(lambda: socket.getaddrinfo("localhost", 80)),
    "user_namespace": ctypes.CDLL(None, use_errno=True).unshare(0x10000000) and os.strerror(ctypes.get_errno()),
}))
"""

#: Confines itself, then executes the program. Arguments: the sandbox as JSON, the program.
CONFINED = """
import json, os, sys
from pathlib import Path
from dashboard.core.operations.web_user import WebUser
from dashboard.management.pages.sandbox import RefusedError, Sandbox, confine
given = json.loads(sys.argv[1])
for point in given.get("mounts", ()):
    os.unshare(os.CLONE_NEWNS)
    os.system(f"mount --make-rprivate / && mount -t tmpfs none '{point}' && install -m 666 /dev/null '{point}/shown'")
paths = {name: [Path(path) for path in given[name]] for name in ("read", "write", "check")}
user, cover, folder = WebUser(given["uid"], given["uid"]), Path(given["cover"]), Path(given["folder"])
seen = frozenset(paths["read"]), tuple(paths["write"]), cover, folder
sandbox = Sandbox(user, *seen, tuple(paths["check"]), "chmod X")
try:
    confine(sandbox, {"LANG": "C.UTF-8"})
except RefusedError as error:
    sys.exit(str(error))
os.execv(sys.argv[2], sys.argv[2:])
"""

#: Searches its own memory, backwards, for a text after ``replace_environment``. Argument: the text in reverse.
SEARCH = """
import os, sys
from dashboard.management.pages.sandbox import replace_environment
replace_environment({"LANG": "C.UTF-8", "ONE": "1"})
wanted, found = sys.argv[1].encode(), 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        bounds, rights = line.split()[:2]
        if "w" in rights:
            first, last = (int(bound, 16) for bound in bounds.split("-"))
            memory.seek(first)
            found += memory.read(last - first)[::-1].count(wanted)
print(found, sorted(os.environ), os.environ["ONE"])
"""


def run(tmp_path: Path, **changed: Any) -> subprocess.CompletedProcess[str]:
    """Runs the probe in a sandbox below a folder that only root may enter."""
    data, code = tmp_path / "data", tmp_path / "code"
    for folder in (tmp_path, data, code):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    code.chmod(0o755)
    (code / "shown").write_text("x")
    (code / "shown").chmod(0o666)
    (tmp_path / "hidden").write_text("x")
    for name in ("secret.key", "netmodes.db"):
        (data / name).write_text("x")
        (data / name).chmod(0o600)
    os.chown(data / "netmodes.db", UID, UID)
    sandbox = {
        "uid": UID,
        "read": [str(code), sys.base_prefix],
        "cover": str(data),
        "write": [str(data / "netmodes.db")],
        "folder": str(code),
        "check": [str(code / "shown")],
    }
    python = str(Path(sys.executable).resolve())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")  # the kernel chooses an abstract name
        listening.listen()
        name = listening.getsockname().decode().removeprefix("\0")
        probe = [
            python,
            "-I",
            "-S",
            "-c",
            PROBE,
            changed.pop("shown", str(code / "shown")),
            str(tmp_path / "hidden"),
            str(data),
            name,
        ]
        return execute(CONFINED, json.dumps(sandbox | changed), *probe)


def execute(
    program: str, *arguments: str, prefix: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program of this file that imports ``dashboard``."""
    command = [*prefix, sys.executable, "-c", program, *arguments]
    environment = os.environ | {"PYTHONPATH": str(configuration.BASE)} | variables
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)


def test_the_program_is_an_ordinary_user_and_sees_few_files(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["uid"] == [str(UID)] * 4
    assert found["groups"] == []
    assert found["nnp"] == "1"
    assert found["caps"] == ["0000000000000000"]
    assert found["root_again"] == "Operation not permitted"
    assert found["pids"], "it sees no other process"
    assert {"run", "var", "home", "root", "sys", "mnt"}.isdisjoint(found["root"])
    assert found["dev"] == sorted(sandbox.DEVICES)
    assert found["data"] == ["netmodes.db"]
    assert found["here"] == str(tmp_path / "code")
    allowed = ("shown", "database", "temporary", "null")
    assert {name: found[name] for name in allowed} == dict.fromkeys(allowed, "")
    for name in ("hidden", "key", "docker", "environ"):
        assert found[name] == "No such file or directory", name
    assert found["shadow"] == "Permission denied"
    assert found["written"] == "Read-only file system"
    assert found["created"]
    assert found["variables"] == ["LANG"]
    assert found["user_namespace"] == "Operation not permitted"
    # Unix sockets without a file: those of every program in the machine's network namespace.
    assert (found["abstract"], found["datagrams"]) == ("Operation not permitted",) * 2
    assert (found["internet"], found["lookup"]) == ("", "")


def test_variables_of_the_shell_are_not_in_the_memory_of_the_process() -> None:
    canary = "canary-of-the-environment"
    done = execute(SEARCH, canary[::-1], SECRET=canary, ONE="1")
    assert done.stdout == "0 ['LANG', 'ONE'] 1\n", done.stderr


def test_code_below_closed_folders_is_readable_wherever_the_data_folder_is(tmp_path: Path) -> None:
    closed = tmp_path / "data" / "closed"
    (closed / "environment").mkdir(parents=True)
    (closed / "environment" / "module").write_text("x")
    (closed / "key").write_text("x")
    beside = tmp_path / "closed"
    (beside / "environment").mkdir(parents=True)
    (beside / "environment" / "module").write_text("x")
    for folder in (closed, beside):
        folder.chmod(0o700)
    read = [str(tmp_path / "code"), sys.base_prefix, *(str(folder / "environment") for folder in (closed, beside))]
    check = [str(folder / "environment" / "module") for folder in (closed, beside)]
    done = run(tmp_path, read=read, check=check)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == ["closed", "netmodes.db"]
    done = run(tmp_path, read=read, check=[str(closed / "key")])
    assert done.returncode == 1


def test_mounts_below_what_is_shown_are_read_only_too(tmp_path: Path) -> None:
    point = tmp_path / "code" / "a disk"
    point.mkdir(parents=True)
    (tmp_path / "link").symlink_to(point)
    done = run(tmp_path, mounts=[str(point)], shown=str(point / "shown"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["shown"], found["written"]) == ("", "Read-only file system")


def test_a_mount_that_is_mounted_again_keeps_its_own_flags() -> None:
    def mount(point: str, options: str) -> Mount:
        return Mount(Path(point), tuple(options.split(",")))

    mounts = [
        mount("/", "rw,relatime"),
        mount("/srv/a/b", "ro,nosuid,nodev,noexec,relatime"),
        mount("/srv/a", "rw,nosuid"),
        mount("/srv/a", "rw,nodev"),
        mount("/srv/ab", "ro"),
    ]
    found = sandbox.flags_at_and_below(Path("/srv/a"), mounts)
    assert list(found.items()) == [(Path("/srv/a"), 4), (Path("/srv/a/b"), 1 | 2 | 4 | 8)]


@pytest.mark.parametrize(
    ("without", "refusal"), [("", ""), ("sys_admin", "[Errno 1] Operation not permitted"), ("setuid", "not permitted")]
)
def test_a_trial_shows_whether_a_machine_can_confine_a_process(tmp_path: Path, without: str, refusal: str) -> None:
    before = mounts(tmp_path)
    program = "from dashboard.management.pages.sandbox import find_refusal, WebUser\n"
    program += f"print(find_refusal(WebUser({UID}, {UID})))"
    fewer = ["setpriv", f"--bounding-set=-{without}", f"--inh-caps=-{without}", "--"] if without else []
    done = execute(program, prefix=fewer)
    assert done.stderr == ""
    assert refusal in done.stdout
    assert bool(done.stdout.strip()) == bool(refusal)
    assert mounts(tmp_path) == before


def test_no_mount_or_file_remains_on_the_machine(tmp_path: Path) -> None:
    before = mounts(tmp_path)
    assert run(tmp_path).returncode == 0
    assert mounts(tmp_path) == before
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["netmodes.db", "secret.key"]


def test_files_that_the_user_cannot_read_are_named_with_what_to_type(tmp_path: Path) -> None:
    done = run(tmp_path, check=[str(tmp_path / "data" / "netmodes.db"), "/etc/shadow"])
    assert done.returncode == 1
    assert f"user id {UID} cannot read /etc/shadow (Permission denied). Type: chmod X" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_machine_that_refuses_mounts_is_reported(tmp_path: Path) -> None:
    done = run(tmp_path, write=[str(tmp_path / "missing")])
    assert done.returncode == 1
    assert done.stderr.startswith("mount ")
    assert "Traceback" not in done.stderr
