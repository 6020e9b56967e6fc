"""The process that forks web processes. It runs in separate programs, because a test has threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import psutil
import pytest

from dashboard import configuration
from dashboard.management.pages.starter import close_descriptors
from tests.support.polling import until
from tests.support.terminal import has_ended

pytestmark = pytest.mark.engine  # needs root

BEGINNING = """
import asyncio, json, os, signal, socket, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
from dashboard.management.pages.starter import Starter, StarterError
ours, theirs = socket.socketpair()
secret = open("/etc/passwd")
"""

#: Starts two processes in turn, each of which reports what it is.
TWO = (
    BEGINNING
    + """
def work(sockets):
    (link,) = sockets
    found = {"pid": os.getpid(), "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]}
    try:
        os.kill(int(sys.argv[1]), 0)
    except ProcessLookupError:
        found["signal"] = "no such process"
    link.sendall(json.dumps(found).encode())
    return link.recv(1)[0]

starter = Starter(work, 2)
async def run():
    results = []
    for status in (3, 4):
        starter.start([theirs])
        results.append(json.loads(ours.recv(4096)))
        ours.send(bytes([status]))
        results.append(await starter.wait())
    return results
print(json.dumps(asyncio.run(run())))
starter.close()
assert not os.path.exists(f"/proc/{starter._pid}")
"""
)

#: Prints the pid of the process as the machine sees it and then does not return.
ENDLESS = (
    BEGINNING
    + """
def work(sockets):
    signal.pause()

starter = Starter(work, 2)
starter.start([theirs])
print("started", flush=True)
"""
)


def execute(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=variables())


def variables() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(configuration.BASE)}


def test_each_process_is_the_first_of_a_namespace_and_has_what_was_passed_to_it() -> None:
    done = execute(TWO, str(os.getpid()))
    assert done.returncode == 0, done.stderr
    one, status, two, other_status = json.loads(done.stdout)
    assert (status, other_status) == (3, 4)
    for found in (one, two):
        assert found["pid"] == 1
        assert found["signal"] == "no such process"
        assert len(found["descriptors"]) == 4, "the standard streams and the socket"


def test_a_process_ends_with_the_lab_and_with_its_starter() -> None:
    for victim in ("lab", "starter"):
        command = [sys.executable, "-c", ENDLESS + "signal.pause()\n"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables()) as lab:
            assert lab.stdout is not None
            try:
                assert lab.stdout.readline() == "started\n"
                starter, web = psutil.Process(lab.pid).children(recursive=True)
                # Each names itself after it was started.
                until(lambda: (starter.name(), web.name()) == ("netmodes-start", "netmodes-web"))  # noqa: B023
                (lab if victim == "lab" else starter).kill()
                until(lambda: has_ended(web))  # noqa: B023 - called at once
            finally:
                lab.kill()


def test_a_signal_ends_a_process_and_close_kills_it() -> None:
    program = f"""{ENDLESS}
starter.send_signal(signal.SIGKILL)
print(asyncio.run(starter.wait()))
starter.send_signal(signal.SIGKILL)
starter.start([theirs])
starter.close()
"""
    done = execute(program)
    assert done.stdout.splitlines() == ["started", "-9"], done.stderr
    assert done.returncode == 0, done.stderr


def test_an_error_of_the_work_is_printed_and_is_its_status() -> None:
    program = f"""{BEGINNING}
def work(sockets):
    raise LookupError("no such thing")
starter = Starter(work, 2)
starter.start([theirs])
print(asyncio.run(starter.wait()))
starter.close()
"""
    done = execute(program)
    assert done.stdout == "1\n"
    assert "LookupError: no such thing" in done.stderr


def test_a_starter_that_has_ended_is_an_error() -> None:
    program = f"""{ENDLESS}
os.kill(starter._pid, signal.SIGKILL)
for step in (lambda: asyncio.run(starter.wait()), lambda: starter.start([theirs])):
    try:
        step()
    except StarterError as error:
        print(error)
starter.close()
"""
    done = execute(program)
    _, *problems = done.stdout.splitlines()
    assert len(problems) == 2, done.stderr
    assert problems[0] == "The process that starts the web process has ended."
    assert problems[1].startswith("The web process cannot be started")


def test_a_process_with_threads_does_not_fork() -> None:
    program = f"""{BEGINNING}
import threading
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
try:
    Starter(lambda sockets: 0, 2)
except StarterError as error:
    print(error)
"""
    assert execute(program).stdout == "The web process cannot be started: the lab already has threads.\n"


def test_other_descriptors_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []
    monkeypatch.setattr(os, "closerange", lambda first, last: closed.append((first, last)))
    monkeypatch.setattr(os, "sysconf", lambda _name: 100)
    close_descriptors([9, 2, 5])
    assert closed == [(3, 2), (3, 5), (6, 9), (10, 100)]


def test_output_of_a_process_goes_to_the_pipe_and_the_process_has_no_other_descriptor_of_the_lab() -> None:
    program = f"""{BEGINNING}
def work(sockets):
    descriptors = [os.readlink(f"/proc/self/fd/{{number}}") for number in range(3)]
    print(descriptors[0], [name.split(":")[0] for name in descriptors[1:]])
    print("an error", file=sys.stderr)
    sys.stdout.flush()
    return 0
reading, writing = os.pipe()
starter = Starter(work, writing)
starter.start([theirs])
asyncio.run(starter.wait())
starter.close()
os.close(writing)
print(os.read(reading, 4096).decode(), end="")
"""
    done = execute(program)
    assert sorted(done.stdout.splitlines()) == ["/dev/null ['pipe', 'pipe']", "an error"], done.stderr
    assert done.stderr == ""


def test_signals_to_all_processes_of_a_service_do_not_end_the_starter() -> None:
    program = f"""{BEGINNING}
signals = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
def work(sockets):
    return 7 if all(signal.getsignal(number) == signal.SIG_DFL for number in signals) else 8
starter = Starter(work, 2)
for status in range(2):
    starter.start([theirs])
    print(asyncio.run(starter.wait()))
    for number in signals:
        os.kill(starter._pid, number)
starter.close()
"""
    done = execute(program)
    assert done.stdout.splitlines() == ["7", "7"], done.stderr


@pytest.mark.parametrize("step", ["fork", "unshare", "pidfd_open"])
def test_a_fork_that_the_kernel_refuses_is_reported_and_the_next_one_succeeds(step: str) -> None:
    program = f"""{BEGINNING}
import errno
from dashboard.management.pages.starter import ForkRefusedError
refused, real = [], os.{step}
lab = os.getpid()
def once(*arguments):
    if os.getpid() != lab and not refused:
        refused.append(1)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return real(*arguments)
os.{step} = once
starter = Starter(lambda sockets: 5, 2)
try:
    starter.start([theirs])
except ForkRefusedError as error:
    print(error)
starter.start([theirs])
print(asyncio.run(starter.wait()))
starter.close()
"""
    done = execute(program)
    refusal = "The web process cannot be started: Resource temporarily unavailable."
    assert done.stdout.splitlines() == [refusal, "5"], done.stderr


def test_a_process_whose_descriptor_did_not_arrive_ends_with_its_starter() -> None:
    program = f"""{ENDLESS.replace("starter.start([theirs])", "")}
socket.recv_fds = lambda *arguments: (b"started", [], 0, None)
try:
    starter.start([theirs])
except StarterError as error:
    print(error)
starter.close()
theirs.close()
ours.settimeout(20)
print(ours.recv(1))
"""
    done = execute(program)
    expected = ["started", "The web process cannot be started: the lab has too many open files.", "b''"]
    assert done.stdout.splitlines() == expected, done.stderr


def test_a_process_that_is_forked_while_its_starter_ends_ends_too() -> None:
    program = (
        BEGINNING
        + """
from dashboard.management.pages import starter as module
waiting, go_on = os.pipe()
set_up = module._set_up
def set_up_late(name, kept):
    if name == module.WEB:
        os.read(waiting, 1)
    set_up(name, [*kept, waiting])
module._set_up = set_up_late

def work(sockets):
    signal.pause()

starter = Starter(work, 2)
starter.start([theirs])
os.kill(starter._pid, signal.SIGKILL)
os.waitpid(starter._pid, 0)
os.write(go_on, b"x")
theirs.close()
ours.settimeout(40)
print(ours.recv(1))
"""
    )
    done = execute(program)
    assert done.stdout.splitlines() == ["b''"], done.stderr
