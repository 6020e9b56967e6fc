"""Makes all attempts on one host and compares the machine before and after."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.shell import open_shell
from tests.support import engine_api
from tests.support.escapes.attempts import ATTEMPTS, Scene
from tests.support.escapes.machine import CGROUPS, ORIGINS, Machine, disk_of, in_namespace
from tests.support.private_engine import PrivateEngine
from tests.support.screens import Screen

PROBE = Path(__file__).with_name("probe.py")
#: A container with everything that the docker command can switch off.
EVERYTHING = (
    "--privileged --pid host --network host --ipc host --uts host --userns host --cgroupns host "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
)
PLACE = re.compile(r"\{(\w+)\}")
LONG_S = 240.0
#: Above every pid.
LAST_PID = 1 << 22
SCRIPT = """
cd ~
docker cp payload:/w /tmp/w
cd /tmp/w
run() { timeout -k 1 30 bash $1.sh < /dev/null > $1.out 2>&1; }
ended() { for i in $(seq 300); do ! grep -q '"end"' $1.out || return; sleep 0.1; done; }
bash terminal.sh > terminal.out 2>&1 < /dev/null &
ended terminal
echo first
read line
for name in NUMBERS; do run $name; done
bash docker.sh > docker.out 2>&1 < probe.py &
ended docker
run LAST
echo second
read line
for name in terminal docker NUMBERS LAST; do echo; echo "@@ $name"; head -c 20000 $name.out; done
echo third
"""


def image_of(machine: Machine, host: PrivateHost) -> Path:
    """The file with the disk of a host; ``machine.image`` if the host has none (``privileged``)."""
    return host.disk if host.disk.exists() else machine.image


def places(machine: Machine, host: PrivateHost, container: str) -> Mapping[str, str]:
    """The values of the placeholders in the lines of attempts."""
    assert machine.pages is not None
    major, minor = machine.disk
    neighbour_major, neighbour_minor = disk_of(machine.neighbour) or machine.disk
    return {
        "folder": str(machine.folder),
        "device": str(machine.device),
        "major": str(major),
        "minor": str(minor),
        "neighbour_major": str(neighbour_major),
        "neighbour_minor": str(neighbour_minor),
        "image": str(image_of(machine, host)),
        "neighbour_image": str(image_of(machine, machine.neighbour)),
        "kill": str(machine.processes["typed kill"].pid),
        "environment": str(machine.processes["environment"].pid),
        "program": str(machine.program),
        "name": machine.name,
        "host": host.name,
        "neighbour": machine.neighbour.name,
        "neighbour_id": machine.neighbour.id,
        "neighbour_pid": str(machine.neighbour.pid),
        "neighbour_data": f"{machine.neighbour.data}/volumes/secrets/_data",
        "neighbour_container": container,
        "socket": machine.neighbour.socket,
        "page": machine.page,
        "port": str(machine.pages.server_port),
        "frame": machine.frame,
        "terminal": machine.terminal_path,
        "host_folder": str(host.folder),
        "run": str(Path(host.socket).parent),
        **{f"sleep{number}": str(machine.mark + number) for number in range(1, 10)},
    }


def look(machine: Machine, host: PrivateHost, template: Path) -> dict[str, object]:
    """Everything of the machine that an attempt may have changed."""
    neighbour, found = machine.neighbour, dict[str, object]()
    assert machine.pages is not None
    for origin in ORIGINS:
        status = Path(f"/proc/{machine.processes[f'ptrace {origin}'].pid}/status").read_text()
        found[f"tracer {origin}"] = status.partition("TracerPid:")[2].split()[0]
        uts = f"/proc/{machine.processes[f'uts {origin}'].pid}/ns/uts"
        found[f"uts {origin}"] = in_namespace(uts, socket.gethostname)
        found[f"neighbour {origin}"] = Path(f"/proc/{machine.neighbours[f'neighbour {origin}']}/stat").exists()
        for way in ("direct", "namespace", "host"):
            found[f"page {origin}-{way}"] = f"{origin}-{way}" in machine.pages.requested
        found[f"device {origin}"] = Path("/dev/full").stat().st_ctime_ns
    found["pid namespace"] = str(Path("/proc/self/ns/pid").readlink())
    files = (
        "pids.max",
        "memory.max",
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "cpu.cfs_quota_us",
        "cpu.max",
    )
    folders = [*CGROUPS.glob(f"*/{host.name}"), *CGROUPS.glob(host.name)]
    limits = [
        path for folder in folders for part in ("", "containers") for path in (folder / part / one for one in files)
    ]
    found["limits"] = {str(path): path.read_text() for path in limits if path.exists()}
    found["size of the disk"] = image_of(machine, host).stat().st_size
    found["release agent"] = (machine.hierarchy / "release_agent").read_text()
    found["notify on release"] = (machine.hierarchy / "notify_on_release").read_text()
    found["networks of the neighbour"] = engine_api.networks(neighbour.endpoint)
    found["links of the neighbour"] = in_namespace(f"/proc/{neighbour.pid}/ns/net", socket.if_nameindex)
    found["template"] = sorted(template.glob("overlay2/*/diff/poisoned"))
    found["records"] = [(host.folder / one).read_text() for one in ("host.json", "cgroups", "setup")]
    return found


def _probe_of(machine: Machine, origin: str) -> int:
    """The pid of the probe on the machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_text().split("\0")
            if "python" in words[0] and len(words) > 3 and words[2] == origin and machine.frame in words[3]:
                return int(path.parent.name)
    return 0


def _write_scripts(folder: Path, machine: Machine, host: PrivateHost, container: str) -> list[str]:
    """Writes a script for each typed line; returns their names in order."""
    named, aims = places(machine, host, container), json.dumps(machine.aims(host))
    names = []
    for number, attempt in enumerate(one for one in ATTEMPTS if one.line):
        line = PLACE.sub(lambda found: named.get(found[1], found[0]), attempt.line)
        (folder / f"{number}.sh").write_text(line + "\n")
        names.append(str(number))
    (folder / "terminal.sh").write_text(f"exec python3 /tmp/w/probe.py terminal '{aims}'\n")
    command = (
        f"docker run -i --rm {EVERYTHING} --ulimit nofile=1024:1024 -v /:/h --entrypoint chroot nginx /h python3 -"
    )
    (folder / "docker.sh").write_text(f"exec {command} docker '{aims}'\n")
    (folder / "probe.py").write_text(PROBE.read_text())
    return names


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt reached as seen from outside, and what it printed."""

    reached: bool
    output: str


def attack(machine: Machine, host: PrivateHost, folder: Path, template: Path, container: str) -> dict[str, Outcome]:
    """Makes every attempt from one terminal, and looks at the machine before, during and after. Returns the outcomes by
    the names of the attempts."""
    folder.mkdir()
    numbers = _write_scripts(folder, machine, host, container)
    script = SCRIPT.replace("NUMBERS", " ".join(numbers[:-1])).replace("LAST", numbers[-1])
    (folder / "all.sh").write_text(script)
    engine = PrivateEngine(host, folder)
    engine.docker("create", "--name", "payload", "nginx")
    engine.docker("cp", str(folder), "payload:/w")
    before = look(machine, host, template)
    screen = Screen(open_shell(host, 200, 50))
    probes: dict[str, int] = {}
    try:
        screen.sees(r":~# ")
        machine.start_clock()
        screen.type("docker cp payload:/w/all.sh /tmp/all.sh && bash /tmp/all.sh\r")
        screen.sees("first\r\n", LONG_S)
        after: dict[str, object] = {"clock terminal": machine.clock_was_set("terminal")}
        after["device terminal"] = Path("/dev/full").stat().st_ctime_ns
        before["device docker"] = after["device terminal"]
        machine.start_clock()
        screen.type("\r")
        screen.sees("second\r\n", LONG_S)
        after["clock docker"] = machine.clock_was_set("docker")
        probes |= {origin: _probe_of(machine, origin) for origin in ORIGINS}
        after |= {name: value for name, value in look(machine, host, template).items() if name not in after}
        before["engine was asked"], after["engine was asked"] = False, _connects_to_the_machine(machine, host)
        screen.type("\r")
        output = _outputs(screen.sees(r"(?s)@@ terminal(.*)third\r\n", LONG_S)[0], numbers)
        assert all(probes.values()), f"a probe has ended: {probes}"
        after |= _look_at_processes(machine, probes)
        before |= {f"{what} {origin}": False for what in ("clock", "oom", "priority") for origin in ORIGINS}
        for origin in ORIGINS:
            before[f"pid namespace {origin}"] = str(Path(f"/proc/{probes[origin]}/ns/pid").readlink())
        scene = Scene(machine, host, output, probes, before, after)
        return {one.name: Outcome(one.reached(scene), output[one.name]) for one in ATTEMPTS}
    finally:
        screen.shell.end()
        for file in template.glob("overlay2/*/diff/poisoned"):
            file.unlink()
        # A traced process does not end before its tracer.
        for pid in probes.values():
            with suppress(ProcessLookupError):
                os.kill(pid or LAST_PID + 1, signal.SIGKILL)


def _look_at_processes(machine: Machine, probes: Mapping[str, int]) -> dict[str, object]:
    found: dict[str, object] = {"frames": machine.frames(), "log": machine.log_text()}
    found["requests"] = machine.pages.requested if machine.pages is not None else []
    machine.speak()
    found["terminal"] = machine.terminal_text()
    for origin, pid in probes.items():
        found[f"oom {origin}"] = int(Path(f"/proc/{pid}/oom_score_adj").read_text()) < 0
        found[f"priority {origin}"] = os.getpriority(os.PRIO_PROCESS, pid) < 0
    root, last = machine.marked(1), machine.marked(2)
    users = Path(f"/proc/{root}/uid_map").read_text() if root else ""
    found["users of a container"] = " ".join(users.split())
    found["score of a container"] = Path(f"/proc/{last}/oom_score_adj").read_text().strip() if last else ""
    return found


def _connects_to_the_machine(machine: Machine, host: PrivateHost) -> bool:
    """Whether a connection to the host's engine, as the server makes it, reaches the machine's engine."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.connect(host.socket)
    return machine.engine_was_asked()


def _outputs(text: str, numbers: list[str]) -> dict[str, str]:
    """What each attempt printed, by name."""
    parts = dict(re.findall(r"(?ms)^@@ (\w+)\r\n(.*?)(?=^@@ |\Z)", text))
    found: dict[str, str] = {}
    for origin in ORIGINS:
        for line in parts[origin].splitlines():
            with suppress(ValueError):
                result: dict[str, Any] = json.loads(line)
                found[f"{origin}: {result['name']}"] = result["result"]
        assert f"{origin}: end" in found, f"the probe did not end: {parts[origin][-2000:]}"
    typed = [one.name for one in ATTEMPTS if one.line]
    return found | {name: parts[number] for name, number in zip(typed, numbers, strict=True)}
