"""What a claim is: a sentence about a network mode that is executed, read, and judged with evidence.

A claim is one file in ``core.claims.catalogue``: what it says, what it launches and looks at (``observe``), and what that proves
(``judge``, a pure function). It speaks to an engine only through ``Stage``; ``lab.claims.testbed`` is the real one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Lookup, NamespaceState
from dashboard.core.reports.model import ClaimVerdict


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
    """What a claim must have to itself or of the machine. Without any it disturbs nobody and runs on any engine."""

    ALONE = "alone"  # a private host to itself: it changes files, or counts interfaces
    PORT_80 = "port-80"  # port 80 of a private host's machine
    PRIVATE = "private"  # ports of the machine that a reader's own may use, or the LAN of a private host
    MACVLAN = "macvlan"
    IPV6 = "ipv6"
    MEASURE = "measure"  # quiet, on a private host: timings


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


def proves(proved: bool, otherwise: str, *evidence: str) -> Judgement:
    """``holds`` if it is proved, else ``differs`` for the reason."""
    return holds(*evidence) if proved else differs(otherwise, *evidence)


class NotTestableError(Exception):
    """A stage cannot do what a claim asks; ``str()`` is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: HTTP status or None with ``error``; who the server saw; whether anybody accepted at all."""

    status: int | None
    body: str = ""
    client_seen: str = ""
    error: str = ""
    connected: bool = False

    @property
    def said(self) -> str:
        """In a few words, as evidence."""
        if self.status is None:
            return self.error
        return f"HTTP {self.status}" + (f", the server saw {self.client_seen}" if self.client_seen else "")


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

    def setting(self, *path: str) -> Any:
        """A member of the inspect answer by its way, None where there is none."""
        found: Any = self.inspected
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    @property
    def addresses(self) -> dict[str, str]:
        """Network to the IPv4 address that the Engine gave; ``invalid IP`` of some versions counts as none."""
        networks = self.setting("NetworkSettings", "Networks") or {}
        said = {name: str((one or {}).get("IPAddress") or "") for name, one in networks.items()}
        return {name: "" if text == "invalid IP" else text for name, text in said.items()}

    @property
    def address(self) -> str:
        """The first of them, empty where there is none."""
        return next((one for one in self.addresses.values() if one), "")

    @property
    def gateway(self) -> str:
        """The gateway of the first network that has one."""
        networks = self.setting("NetworkSettings", "Networks") or {}
        return next((str(one["Gateway"]) for one in networks.values() if one and one.get("Gateway")), "")

    @property
    def said(self) -> str:
        """What became of it, as evidence."""
        if self.refused:
            return f"refused at {self.refused_at}: {self.refused}"
        if self.exit_code is not None:
            return f"exited with code {self.exit_code}" + (f": {self.logs[-1]}" if self.logs else "")
        return self.status


@dataclass(frozen=True, slots=True)
class Timing:
    """Two paths measured against each other, blocks paired: ``slow`` minus ``fast`` in microseconds per round trip, its
    95 % interval, and the verdict slower, faster, same or inconclusive on ``slow``."""

    slow: str
    fast: str
    verdict: str
    reason: str
    delta_us: float | None = None
    ci95_us: tuple[float, float] | None = None
    fast_us: float | None = None
    rounds: int = 0

    @property
    def said(self) -> str:
        """As evidence."""
        if self.delta_us is None or self.ci95_us is None:
            return f"{self.slow} against {self.fast}: {self.reason}"
        low, high = self.ci95_us
        base = f", {self.fast} takes {self.fast_us:.1f} µs" if self.fast_us is not None else ""
        return (
            f"{self.slow} minus {self.fast}: {self.delta_us:+.1f} µs per round trip of 64 bytes "
            f"(95 % interval {low:+.1f} to {high:+.1f}, {self.rounds} pairs of blocks){base}"
        )


#: A container, or ``MACHINE``: the namespaces that the engine itself runs in.
Place = Container | str


class Stage(Protocol):
    """What a claim may do. Everything made is removed at its end.

    In every text ``IMAGE`` is the lab image, ``{one}`` the real name of an earlier container or network by its name in
    the line, ``{machine}`` the machine's own address. Each call may raise NotTestableError; an engine that goes away
    ends the claim as not testable.
    """

    async def run(self, line: str) -> Container:
        """``docker run -d …`` (``core.experiments.docker_run``); a refusal is an answer, not an error. Returns once it started."""
        ...

    async def network(self, line: str) -> str:
        """``docker network create …``; the network's real name."""
        ...

    async def connect(self, network: str, container: Container) -> str:
        """``docker network connect``; empty, or the Engine's refusal."""
        ...

    async def again(self, container: Container) -> Container:
        """The same container as it is now (``docker inspect``, last log lines)."""
        ...

    async def ended(self, container: Container, within_s: float = 5.0) -> Container:
        """The same once it has ended by itself, or as it is after so many seconds."""
        ...

    async def stop(self, container: Container) -> Container:
        """``docker stop``; status ``gone`` where ``--rm`` removed it."""
        ...

    async def serving(self, place: Place, port: int) -> bool:
        """Whether something listens there within three seconds; at once False if the container has ended."""
        ...

    async def state(self, place: Place) -> NamespaceState:
        """Everything observed about a network namespace, with the owners of its sockets."""
        ...

    async def inodes(self, place: Place) -> Mapping[str, int]:
        """/proc/PID/ns: ``net``, ``mnt``, ``pid``, ``ipc``, ``uts``, ``user``, ``cgroup`` to inode."""
        ...

    async def file(self, place: Place, path: str) -> str:
        """/etc/resolv.conf or /etc/hosts as a program in there reads it."""
        ...

    async def request(self, place: Place, address: str, port: int = 0) -> Answer:
        """GET / from there. ``@name`` is an abstract unix socket."""
        ...

    async def look_up(self, place: Place, name: str) -> Lookup:
        """A name, with the place's own hosts file and resolver."""
        ...

    async def inside(self, place: Place, command: str) -> tuple[int, str]:
        """A command as a process of the container (``docker exec``) or in the machine's network namespace: exit code
        and output, for what has no structured source. The lab image has busybox."""
        ...

    async def rules(self) -> tuple[str, ...]:
        """The machine's nat rules with their counters, as ``iptables-save -c`` or ``nft list`` prints them
        (``core.paths.nat_rules`` reads them)."""
        ...

    async def stats(self, container: Container) -> Mapping[str, Any]:
        """One answer of ``GET /containers/ID/stats``."""
        ...

    async def serve_on_machine(self, address: str, port: int = 0) -> str:
        """A small HTTP server of the machine itself, until the claim ends; ``@name`` is an abstract unix socket.
        Empty, or the kernel's refusal."""
        ...

    async def set_file(self, path: str, text: str) -> None:
        """Changes the machine's /etc/resolv.conf or /etc/hosts until the claim ends; private hosts only."""
        ...

    async def measure(self, line_a: str, line_b: str, question: str) -> Timing:
        """Two containers, every path to them measured. ``question`` is ``PATH against PATH``, each path
        ``NAME/KIND`` with the container's name in its line: ``two/published-proxy against one/loopback``."""
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

    @property
    def shown_lines(self) -> tuple[str, ...]:
        """The lines as a person types them."""
        return tuple(show_line(line) for line in self.lines)


def turn(text: str, counter: Mapping[str, str]) -> str:
    """``text`` with the counter's words put in, all at once: two words may change places."""
    if not counter:
        return text
    words = "|".join(re.escape(word) for word in sorted(counter, key=len, reverse=True))
    return re.sub(words, lambda found: counter[found[0]], text)


_MARK = re.compile(r"\{(\w+)\}")


def fill(text: str, names: Mapping[str, str]) -> str:
    """``{name}`` replaced; KeyError for one that nobody made."""
    return _MARK.sub(lambda found: names[found[1]], text)


#: What only the lab image has: settings of its own, and busybox's web server.
_OF_THE_LAB = re.compile(r"NETMODES_|\bhttpd\b|\busleep\b")


def show_line(line: str) -> str:
    """A line as it is typed: with the workshop's image, or the lab image where it needs that."""
    image = "netmodes-lab:1" if _OF_THE_LAB.search(line) else "nginx"
    return _MARK.sub(lambda found: "MACHINE" if found[1] == MACHINE else found[1], line.replace("IMAGE", image))


def by_statement(claims: Sequence[Claim]) -> dict[Topic, tuple[Claim, ...]]:
    """The claims of each topic, in the order of the topics."""
    return {topic: found for topic in Topic if (found := tuple(one for one in claims if one.topic is topic))}
