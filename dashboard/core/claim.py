"""What a claim is: a sentence about a network mode that is executed, read, and judged with evidence.

A claim is one file in ``core.claims``: what it says, what it launches and looks at (``observe``), and what that proves
(``judge``, a pure function). It speaks to an engine only through ``Stage``; ``lab.stage`` is the real one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from dashboard.core.report import ClaimVerdict
from dashboard.core.state import Lookup, NamespaceState


class Topic(StrEnum):
    """The six statements of the workshop, and what stands beside them."""

    ISOLATION = "isolation"
    PERFORMANCE = "performance"
    PUBLISHING = "publishing"
    INTERFERENCE = "interference"
    DNS = "dns"
    WHEN = "when"  # where it works, what is refused
    BRIDGE = "bridge"  # what the other modes do instead
    LIFECYCLE = "lifecycle"


class Need(StrEnum):
    """What a claim must have to itself or of the machine."""

    ALONE = "alone"  # the whole machine: ports, sysctls, files; nothing else runs meanwhile
    PORT_80 = "port-80"  # the machine's port 80: a host of its own
    MACVLAN = "macvlan"
    IPV6 = "ipv6"
    MEASURE = "measure"  # quiet: timings


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was proved. ``evidence`` are the very rows, inodes, rules, answers, a line each;
    ``reason`` says in a sentence why it differs or cannot be tested."""

    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""


def holds(*evidence: str) -> Judgement:
    """The claim is true here."""
    return Judgement(ClaimVerdict.HOLDS, evidence)


def differs(reason: str, *evidence: str) -> Judgement:
    """The engine or the kernel did something else."""
    return Judgement(ClaimVerdict.DIFFERS, evidence, reason)


def not_testable(reason: str, *evidence: str) -> Judgement:
    """This machine lacks what the claim needs."""
    return Judgement(ClaimVerdict.NOT_TESTABLE, evidence, reason)


class NotTestableError(Exception):
    """A stage cannot do what a claim asks; ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: HTTP status or None with ``error``; who the server saw."""

    status: int | None
    body: str = ""
    client_seen: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the Engine says it is. ``warnings`` are those of the create answer.

    ``refused`` is the Engine's own sentence where it was refused, at ``create`` or at ``start`` (``refused_at``);
    ``inspected`` is the whole inspect answer, as JSON values.
    """

    line: str
    id: str = ""
    name: str = ""
    warnings: tuple[str, ...] = ()
    refused: str = ""
    refused_at: str = ""
    status: str = ""
    exit_code: int | None = None
    logs: tuple[str, ...] = ()
    inspected: Mapping[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """What a claim may do. ``place`` is a container's id, or ``machine``. Everything made is removed at its end.

    Each call may raise NotTestableError; an engine that goes away ends the claim as not testable.
    """

    async def run(self, line: str) -> Container:
        """``docker run -d …`` (``core.docker_run``); a refusal is an answer, not an error. ``IMAGE`` in the line is the
        lab image, ``{one}`` the id of an earlier container by its name in the line. Returns once it runs or ended."""
        ...

    async def network(self, line: str) -> str:
        """``docker network create …``; the network's name."""
        ...

    async def connect(self, network: str, container: Container) -> str:
        """``docker network connect``; empty, or the Engine's refusal."""
        ...

    async def again(self, container: Container) -> Container:
        """The same container as it is now (``docker inspect``, last log lines)."""
        ...

    async def stop(self, container: Container) -> Container:
        """``docker stop``; status ``gone`` where ``--rm`` removed it."""
        ...

    async def serving(self, place: str, port: int) -> bool:
        """Whether something listens there within two seconds."""
        ...

    async def state(self, place: str) -> NamespaceState:
        """Everything observed about a network namespace, with the owners of its sockets."""
        ...

    async def inodes(self, place: str) -> Mapping[str, int]:
        """/proc/PID/ns: ``net``, ``mnt``, ``pid``, ``ipc``, ``uts``, ``user``, ``cgroup`` to inode."""
        ...

    async def file(self, place: str, path: str) -> str:
        """/etc/resolv.conf or /etc/hosts as a program in there reads it."""
        ...

    async def request(self, place: str, address: str, port: int) -> Answer:
        """GET / from there."""
        ...

    async def look_up(self, place: str, name: str) -> Lookup:
        """A name, with the place's own hosts file and resolver."""
        ...

    async def inside(self, place: str, command: str) -> tuple[int, str]:
        """A command as a process of the container (``docker exec``) or in the machine's namespaces: exit code and
        output, for what has no structured source. The lab image has busybox."""
        ...

    async def rules(self) -> tuple[str, ...]:
        """The machine's nat rules with their counters, as ``iptables-save -c`` or ``nft list`` prints them."""
        ...

    async def stats(self, container: Container) -> Mapping[str, Any]:
        """One answer of ``GET /containers/ID/stats``."""
        ...

    async def serve_on_machine(self, address: str, port: int) -> None:
        """A small HTTP server of the machine itself, until the claim ends. ``@name`` is an abstract unix socket."""
        ...

    async def set_file(self, path: str, text: str) -> None:
        """Changes the machine's /etc/resolv.conf or /etc/hosts until the claim ends; private hosts only."""
        ...

    async def measure(self, line_a: str, line_b: str, seconds: float) -> Mapping[str, Any]:
        """Two arms measured against each other: ``measurement/1`` as JSON values."""
        ...


Observe = Callable[[Stage], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. ``statement`` is a whole sentence; ``source`` says where it is said or read.

    ``exact`` adds what the usual sentence leaves out. ``lines`` are what a person would type to see it. ``counter``
    turns words of the lines into others, so that the same claim must come out ``differs``: the proof that it can fail.
    """

    id: str
    topic: Topic
    statement: str
    source: str
    observe: Observe
    judge: Callable[[Any], Judgement]
    lines: tuple[str, ...] = ()
    needs: frozenset[Need] = frozenset()
    exact: str = ""
    counter: Mapping[str, str] = field(default_factory=dict)
