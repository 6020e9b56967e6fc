"""Two hosts side by side, as two participants use them: one creates things in a terminal, and the other looks for them.

The same command looks for a thing on both hosts. It finds the thing on the host that has it, which proves that the
command works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.shell import open_shell
from dashboard.engine.hosts.template import HostTemplate
from tests.support.screens import Screen

pytestmark = pytest.mark.engine
LIMITS = HostLimits(512, 512, 1.0)
#: In a name of a file, container, network and abstract socket, in a command line, and in a datagram.
MARK = "side-by-side-7391"
#: An abstract socket, and a TCP port on every address.
SERVE = (
    "import signal, socket; abstract = socket.socket(socket.AF_UNIX); "
    f'abstract.bind("\\0{MARK}"); abstract.listen(); tcp = socket.create_server(("", 7391)); signal.pause()'
)
#: The commands of the first participant.
SETUP = (
    f"echo {MARK} > /tmp/{MARK}",
    f"docker volume create {MARK}",
    f"docker network create {MARK}",
    f"docker run -d --name {MARK} -v {MARK}:/v --network host nginx sh -c 'echo {MARK} > /v/{MARK}; exec sleep 73910'",
    f"python3 -c '{SERVE}' & until ss -Htln | grep -q :7391; do sleep 0.1; done",
)
#: Traces that both participants look for, by name: a command, and its output on the host that has the trace.
LOOKS = {
    "files of the terminal": ("ls /tmp", MARK),
    "files of containers": (f"docker run --rm -v /:/h nginx sh -c 'find /h/*/ -name {MARK} 2> /dev/null'", MARK),
    "containers": ("docker ps --format '{{.Names}}'", MARK),
    "volumes and networks": ("docker volume ls; docker network ls", MARK),
    "processes": ("docker run --rm --pid host --privileged nginx ps", "sleep 73910"),
    "abstract sockets": ("cat /proc/net/unix", f"@{MARK}"),
    "ports": ("ss -Htln", ":7391"),
    "a connection": (
        "python3 -c 'import socket; socket.create_connection((\"192.0.2.2\", 7391), 20)' 2> /dev/null; echo status $?",
        "status 0",
    ),
}
#: Receives what reaches any link until a file exists, and sends datagrams to the LAN, the bridge and everyone.
RECEIVE = f"""
import os, socket
frames, found = socket.socket(17, 3, socket.htons(3)), 0
frames.settimeout(0.1)
print("listening", flush=True)
while True:
    try:
        found += frames.recv(2000).count(b"{MARK}")
    except TimeoutError:
        if os.path.exists("/tmp/enough"):
            break
print("received", "some" if found else "nothing")
"""
SEND = f"""
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for number in range(20):
    for address in ("192.0.2.255", "192.0.2.10", "172.17.255.255", "127.0.0.1"):
        sender.sendto(b"{MARK}", (address, 7392))
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """The terminals of two participants; only the first has done something."""

    first: Screen
    second: Screen


@pytest.fixture(scope="module")
def pair(session_hosts_folder: Path, session_template: HostTemplate) -> Iterator[Pair]:
    def start(group: str) -> Screen:
        made = private_host.start(session_hosts_folder, limits=LIMITS, template=session_template, group=group)
        host = asyncio.run(made)
        stack.callback(lambda: asyncio.run(private_host.stop(host)))
        shell = open_shell(host, 200, 50)
        stack.callback(shell.end)
        return Screen(shell)

    with ExitStack() as stack:
        pair = Pair(start("side-1"), start("side-2"))
        for screen in (pair.first, pair.second):
            screen.sees(":~# ")
        for line in SETUP:
            text, status = pair.first.run(line)
            assert status == 0, text
        yield pair


@pytest.mark.parametrize("what", LOOKS)
def test_a_participant_sees_nothing_of_the_other(pair: Pair, what: str) -> None:
    command, sign = LOOKS[what]
    assert sign in pair.first.run(command)[0]
    assert sign not in pair.second.run(command)[0]


def write(screen: Screen, file: str, text: str) -> None:
    """Types a command that writes a file."""
    words = " ".join(f"'{line}'" for line in text.strip().splitlines())
    assert screen.run(f"printf '%s\\n' {words} > {file}") == ("", 0)


def test_a_participant_receives_no_traffic_of_the_other(pair: Pair) -> None:
    screens = (pair.first, pair.second)
    for screen in screens:
        write(screen, "/tmp/receive.py", RECEIVE)
        screen.run("(python3 /tmp/receive.py > /tmp/heard 2>&1 &)")  # without messages of job control
        screen.run("until grep -q . /tmp/heard; do sleep 0.1; done")
    write(pair.first, "/tmp/send.py", SEND)
    assert pair.first.run("python3 /tmp/send.py") == ("", 0)
    heard = []
    for screen in screens:
        screen.run("touch /tmp/enough; until grep -q received /tmp/heard; do sleep 0.1; done")
        heard.append(screen.run("cat /tmp/heard")[0].splitlines())
    assert heard == [["listening", "received some"], ["listening", "received nothing"]]
